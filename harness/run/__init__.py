"""The parent side of measuring: worker processes, trials, rounds. Imports no engine."""
