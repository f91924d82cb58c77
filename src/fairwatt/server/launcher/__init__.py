"""Runs the embedded services and our own processes, and keeps them running."""
