"""A world to run against: virtual meters, homes, payment platforms and a faulty network, all seeded."""
