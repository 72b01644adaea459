"""The command line: one file a command. Only this package sees every room."""
