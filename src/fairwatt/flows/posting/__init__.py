"""How a batch of readings and facts becomes lines, decisions and orders. Start at post_batch.py."""
