"""What was charged becomes invoices: drafted from the ledger, issued once, held against it."""
