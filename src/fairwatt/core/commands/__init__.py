"""A decision moves a relay."""
