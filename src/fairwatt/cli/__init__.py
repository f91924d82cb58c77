"""The `fairwatt` command."""
