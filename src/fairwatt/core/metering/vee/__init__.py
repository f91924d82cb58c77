"""Validation, estimation and editing of interval values: what was sent, what is wrong with it, what fills the holes."""
