"""Pre- and post-processing."""
