"""Inference engines, one adapter each, behind the contract in `backends.base`.

Everything here imports with the standard library and numpy alone: an adapter imports its engine inside its
methods, which run only in a worker process.
"""
