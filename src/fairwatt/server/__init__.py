"""Settings, addresses, wiring, and the launcher that runs Fairwatt on one box."""
