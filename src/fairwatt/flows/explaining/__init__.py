"""Why a line of the ledger is what it is, recomputed from stored facts alone. Nothing here writes."""
