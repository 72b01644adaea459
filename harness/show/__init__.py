"""Results and progress on a terminal, as plain lines, and as JSON."""
