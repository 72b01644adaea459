"""The fault battery: errors planted on purpose, each of which must be found where it was planted."""
