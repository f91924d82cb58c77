"""What metering, money and supply mean: pure values and functions, told the time, free of I/O."""
