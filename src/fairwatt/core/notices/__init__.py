"""Whom to tell what, by which channel, when, and in which words."""
