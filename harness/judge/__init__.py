"""Decisions: pure functions from raw samples to estimates, verdicts and doubts. No clock, no file, no engine."""
