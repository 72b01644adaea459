"""Names written from right to left, kept from reordering the figures around them."""

from __future__ import annotations

import unicodedata

_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def has_right_to_left(text: str) -> bool:
    """Whether `text` holds letters that are written from right to left."""
    return any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text)


def isolated(name: str) -> str:
    """`name` for a line of plain text: within isolating marks when it needs them."""
    return f"{_FIRST_STRONG_ISOLATE}{name}{_POP_ISOLATE}" if has_right_to_left(name) else name
