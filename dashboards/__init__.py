"""Pages: pure functions of stored results."""
