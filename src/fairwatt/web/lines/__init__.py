"""One line of the ledger, explained: the same page for the resident it belongs to and for the desk."""
