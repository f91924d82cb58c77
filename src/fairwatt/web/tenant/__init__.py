"""The resident's face: how many days are left, what it cost, and how to top up."""
