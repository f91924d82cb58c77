"""Modbus, the register protocol of industry: RTU and TCP frames, register values, exchanges. No I/O."""
