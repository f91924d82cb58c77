"""How every face writes money, time and reasons."""
