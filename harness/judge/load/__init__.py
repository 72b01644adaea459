"""Closed loops: where to look next, what a point gave, and the curve of all points. Pure functions."""
