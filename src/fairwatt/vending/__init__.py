"""The selling side of offline codes: keys that stay in a vault, and what may be sold under them."""
