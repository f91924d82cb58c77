"""The way to a payment platform and back, and the door its callbacks come in by."""
