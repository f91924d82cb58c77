"""How fast the hot paths are, measured on real services against yardsticks of the same run."""
