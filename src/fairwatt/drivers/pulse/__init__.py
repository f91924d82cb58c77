"""Pulse counters: a meter that only blinks, and a counter that remembers how often. No I/O."""
