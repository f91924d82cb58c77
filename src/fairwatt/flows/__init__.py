"""What happens: one use case, one transaction; facts in, intents out, never the network."""
