"""Top-ups that residents agreed to have taken: agreed to, signed at the provider, watched, ended."""
