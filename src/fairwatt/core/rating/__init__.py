"""Energy becomes a charge."""
