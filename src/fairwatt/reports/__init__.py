"""Read-only: a question to the ledger becomes a page, a CSV, an Excel file, a PDF or JSON."""
