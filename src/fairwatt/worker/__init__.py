"""What is done by the clock and by nobody in particular."""
