"""Profiles: layers of different engines matched, and the table of them. Pure functions."""
