"""What is done at the gateway itself, with or without a line: codes, visitors, couriers, the page on the wall."""
