"""The order of engine versions: by their numbers, a pre-release before its release."""

from __future__ import annotations

import re

VersionKey = tuple[tuple[int, ...], bool, str]


def version_key(text: str) -> VersionKey:
    """Sorts "1.9.2" before "1.31.0rc1" before "1.31.0" before "1.31.0+cpu"; what has no numbers comes first."""
    public, _, local = text.partition("+")
    match = re.match(r"v?(\d+(?:\.\d+)*)(.*)", public)
    if match is None:
        return ((), False, text)
    numbers = tuple(int(part) for part in match[1].split("."))
    return (numbers, not match[2], match[2] or local)
