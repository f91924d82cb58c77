"""What is dangerous or dishonest at a meter, and whether it may have power again."""
