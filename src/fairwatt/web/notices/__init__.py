"""Where messages lead, and where those who carried them report."""
