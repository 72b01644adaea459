"""Reads `--dim NAME=SIZE`."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import UsageError


def parse_dims(texts: Sequence[str]) -> dict[str, int]:
    """Sizes of named dynamic dimensions. Raises UsageError that names the flag and its value."""
    dims: dict[str, int] = {}
    for text in texts:
        name, sign, size = text.partition("=")
        if not sign or not name or not size.isdecimal() or int(size) < 1:
            raise UsageError(f"--dim {text!r} is not NAME=SIZE", "for example --dim sequence=128")
        if name in dims:
            raise UsageError(f"--dim names {name!r} twice", "give each dimension one size")
        dims[name] = int(size)
    return dims
