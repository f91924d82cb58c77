"""The payments drill: the real stack, with reports doubled, lost and reordered, and processes killed."""
