"""Warm-up curves: where they become steady, and what they are when they never do. Pure functions."""
