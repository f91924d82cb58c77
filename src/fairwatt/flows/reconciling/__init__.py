"""Providers' bills of a day: taken in, held against ledger and meters, and what people say of the differences."""
