"""What people see: the resident's home, the operator's console, and the way to pay."""
