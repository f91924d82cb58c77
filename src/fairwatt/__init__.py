"""Fairwatt: prepaid utility metering without disputes."""
