"""Readings become energy."""
