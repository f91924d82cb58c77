"""Versioned messages between gateway and head-end."""
