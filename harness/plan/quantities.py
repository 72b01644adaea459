"""Durations, shares and sizes as people write them: "45s", "2%", "8GiB". Used by suite files and flags.

Every function raises ValueError with a message that says what was expected.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
DURATION_PATTERN = rf"^\s*{_NUMBER}\s*(us|µs|ms|s|min|m|h)\s*$"
SHARE_PATTERN = rf"^\s*{_NUMBER}\s*%\s*$"
SIZE_PATTERN = rf"^\s*{_NUMBER}\s*([KMGT]i?B|B)\s*$"

_DURATION_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_SIZE_UNITS = {"B": 1} | {
    f"{prefix}{middle}B": (1024 if middle else 1000) ** power
    for power, prefix in enumerate("KMGT", start=1)
    for middle in ("", "i")
}


def parse_duration(value: object) -> float:
    """Seconds of "45s", "2m", "80ms", "1.5h", or a plain number of seconds; finite and above 0."""
    wanted = 'a duration such as "45s", "80ms" or "2m" (a plain number counts seconds)'
    seconds = _number(value)
    if seconds is None and isinstance(value, str):
        match = re.match(DURATION_PATTERN, value)
        if match:
            seconds = float(match.group(1)) * _DURATION_UNITS[match.group(2)]
    if seconds is None:
        raise ValueError(f"expected {wanted}, found {_shown(value)}")
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError(f"a duration is above 0, found {_shown(value)}")
    return seconds


def parse_share(value: object) -> float:
    """The share 0.02 of "2%" or 0.02; above 0 and below 1."""
    share = _number(value)
    if share is None and isinstance(value, str):
        match = re.match(SHARE_PATTERN, value)
        # Divided in decimal, so that "0.7%" is the float 0.007 and not its neighbour.
        share = float(Decimal(match.group(1)) / 100) if match else None
    if share is None:
        raise ValueError(f'expected a share such as "2%" or 0.02, found {_shown(value)}')
    if not 0 < share < 1:
        advice = f'; write "{value}%" for {value} in a hundred' if _number(value) and share >= 1 else ""
        raise ValueError(f"a share lies between 0 and 1 (0 % and 100 %), found {_shown(value)}{advice}")
    return share


def parse_size(value: object) -> int:
    """Bytes of "8GiB", "512MB", or a plain whole number of bytes; above 0."""
    size: float | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str):
        match = re.match(SIZE_PATTERN, value)
        if match:
            size = float(match.group(1)) * _SIZE_UNITS[match.group(2)]
    if size is None:
        raise ValueError(
            f'expected a size such as "8GiB" or "512MB" (a plain number counts bytes), found {_shown(value)}'
        )
    if not math.isfinite(size) or int(size) < 1:
        raise ValueError(f"a size is at least one byte, found {_shown(value)}")
    return int(size)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
