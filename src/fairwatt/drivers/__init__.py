"""Meter protocols without I/O: what to send, and what the bytes that came back mean."""
