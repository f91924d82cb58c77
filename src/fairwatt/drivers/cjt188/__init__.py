"""CJ/T 188, the protocol of water, heat and gas meters of China: frames, values, exchanges. No I/O."""
