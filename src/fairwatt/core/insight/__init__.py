"""What use tells beyond its price."""
