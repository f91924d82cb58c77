"""The head-end: takes frames and facts to the book's poster, and carries orders and acknowledgements back."""
