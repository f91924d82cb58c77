"""The one process that sends messages to people."""
