"""A charge moves a wallet."""
