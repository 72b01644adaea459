"""From what the user typed (flags, a suite file) to a list of cases."""
