"""Wired M-Bus (EN 13757-2 and -3), the bus of water, heat and gas meters of Europe. No I/O."""
