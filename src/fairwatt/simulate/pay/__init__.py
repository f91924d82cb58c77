"""Payment platforms that behave like the real ones: addresses, signatures, bills, and faults."""
