"""Labelled data for task accuracy: pictures in folders, arrays in `.npz`, texts in JSON lines."""
