"""A wallet decides supply."""
