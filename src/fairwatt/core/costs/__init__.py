"""What homes share and what they owe besides energy."""
