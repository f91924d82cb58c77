"""What was charged becomes a document: rates of tax, whole coins, and whose number is a number."""
