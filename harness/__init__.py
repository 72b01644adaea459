"""Compare deep-learning inference engines: speed with intervals, numerical parity, history."""

__version__ = "0.1.0"
