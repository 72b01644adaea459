"""Architectures of the built-in models, one file each; they import torch and so run in workers only."""
