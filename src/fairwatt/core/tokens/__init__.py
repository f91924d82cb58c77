"""Codes of 20 digits that carry credit and settings to a meter without a link (STS, IEC 62055-41)."""
