"""What is said to providers of messages, and what their answers mean; nothing here opens a line."""
