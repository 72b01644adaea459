"""Numbers as text: a fitting unit, and never more digits than the interval supports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.judge.comparison import Estimate

Kind = Literal["seconds", "bytes", "per_second", "ratio", "count", "joules", "share", "bytes_per_second"]

NOT_AVAILABLE = "n/a"
DIGITS_WITHOUT_INTERVAL = 3
MOST_DIGITS = 4
"""Significant digits shown however narrow the interval is: no clock or machine here supports more."""

FINER_BELOW = 2.95
"""Leading digits of a half-width below which one digit more is shown, as the Particle Data Group does below 3.55."""

WIDE = 3.0
"""Ratio of an interval's ends from which they are written with digits of their own."""

_SCALES: dict[Kind, tuple[tuple[float, str], ...]] = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "per_second": ((1.0, "/s"),),
    "bytes_per_second": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")),
    "ratio": ((1.0, "×"),),
    "count": ((1.0, ""),),
    "share": ((0.01, "%"),),
    "joules": ((1e3, "kJ"), (1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")),
}
_UNIT_FACTORS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "kB": 1e3, "MB": 1e6, "GB": 1e9}
_NARROW_SPACE = "\u202f"


@dataclass(frozen=True)
class Figure:
    """An estimate as text. `text` is "n/a" when there is no value; then `reason` says why."""

    text: str
    interval: str = ""
    reason: str = ""
    basis: str = ""
    """What the interval rests on, e.g. "95 % interval from 4 trials"."""

    @property
    def missing(self) -> bool:
        """Whether there is no value to show."""
        return self.text == NOT_AVAILABLE


def figure(estimate: Estimate, kind: Kind) -> Figure:
    """`estimate` as text, in the unit that suits its size.

    Values are taken in seconds, bytes, items per second or as a plain ratio, unless `estimate.unit` names a
    multiple of it ("ms", "MB", ...). A missing value gives "n/a" with the estimate's reason, never 0 or blank.
    """
    if estimate.value is None or math.isnan(estimate.value):
        return Figure(NOT_AVAILABLE, reason=estimate.reason or "no reason was recorded")
    factor = _UNIT_FACTORS.get(estimate.unit, 1.0)
    value = estimate.value * factor
    if not math.isfinite(value):
        return Figure("∞" if value > 0 else "−∞", reason=estimate.reason)
    scale, unit = unit_for(value, kind)
    if not _has_interval(estimate):
        text = significant(value / scale, DIGITS_WITHOUT_INTERVAL)
        return Figure(_with_unit(text, unit), reason=estimate.reason or "no interval was recorded")
    assert estimate.low is not None and estimate.high is not None
    low, high = estimate.low * factor / scale, estimate.high * factor / scale
    middle, bottom, top = together(value / scale, low, high)
    return Figure(_with_unit(middle, unit), f"[{bottom}, {top}]", estimate.reason, _basis(estimate))


def quantity(value: float | None, kind: Kind) -> str:
    """A bare value with its unit, three significant digits; "n/a" for None."""
    if value is None or math.isnan(value):
        return NOT_AVAILABLE
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞"
    scale, unit = unit_for(value, kind)
    return _with_unit(significant(value / scale, DIGITS_WITHOUT_INTERVAL), unit)


def exact(value: float, kind: Kind) -> str:
    """A value that somebody chose (a budget, a setting): no zeros that nobody wrote, up to six digits."""
    if not math.isfinite(value):
        return quantity(value, kind)
    scale, unit = unit_for(value, kind)
    return _with_unit(significant(value / scale, 6, keep_zeros=False), unit)


def interval(low: float | None, high: float | None, value: float | None) -> str:
    """`[low, high]` with the digits that its own width supports; "n/a" when an end is missing."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return NOT_AVAILABLE
    middle = value if value is not None and math.isfinite(value) else (low + high) / 2
    _, bottom, top = together(middle, low, high)
    return f"[{bottom}, {top}]"


def together(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A value and the ends of its interval as text.

    They share their decimals, as many as the interval's width supports. An interval whose ends are more than
    `WIDE` times apart supports hardly a digit: then each number gets two significant ones of its own, so that a lower
    end never reads as 0.
    """
    if low > 0 and high > WIDE * low:
        return significant(value, 2), significant(low, 2), significant(high, 2)
    decimals = decimals_for(value, low, high)
    return fixed(value, decimals), fixed(low, decimals), fixed(high, decimals)


def share(value: float, digits: int = 3) -> str:
    """A share as per cent, e.g. 0.02 -> "2 %"."""
    return f"{significant(value * 100, digits, keep_zeros=False)} %"


def unit_for(value: float, kind: Kind) -> tuple[float, str]:
    """Size and sign of the largest unit of `kind` that is not above `value`; of the smallest for 0."""
    scales = _SCALES[kind]
    size = abs(value)
    for scale, unit in scales:
        # A value that rounds up to the next unit's 1 belongs to that unit: 999.7 µs reads as 1.00 ms.
        if size >= scale * 0.9995:
            return scale, unit
    return scales[-1] if size > 0 else scales[0]


def unit_for_axis(values: Sequence[float], kind: Kind) -> tuple[float, str]:
    """One unit for a whole axis: the one that suits the median of `values`; the base unit for none."""
    ordered = sorted(value for value in values if math.isfinite(value))
    return unit_for(ordered[len(ordered) // 2], kind) if ordered else _SCALES[kind][0]


def decimals_for(value: float, low: float, high: float) -> int:
    """Decimals such that the last digit shown is of the size of the interval's half-width, or a tenth of it when
    the half-width's own leading digit is 1 or 2 (else rounding alone would move the ends by up to a half of it).

    Negative decimals mean rounding to tens, hundreds, ... At least one significant digit of `value` stays.
    """
    half = (high - low) / 2
    leading = _exponent(value)
    most = MOST_DIGITS - 1 - leading
    if half <= 0 or not math.isfinite(half):
        return most
    place = _exponent(half)
    finer = 1 if half / 10.0**place < FINER_BELOW else 0
    return max(min(finer - place, most), -leading)


def fixed(value: float, decimals: int) -> str:
    """`value` rounded to `decimals`, with narrow spaces between thousands and a real minus sign."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else NOT_AVAILABLE
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace(",", _NARROW_SPACE).replace("-", "−")


def significant(value: float, digits: int, *, keep_zeros: bool = True) -> str:
    """`value` with `digits` significant digits; very large and very small ones as powers of ten."""
    if value == 0:
        return "0"
    # Rounded first, so that 9.996 with three digits is 10.0 and not 10.00.
    value = float(f"{value:.{digits - 1}e}")
    exponent = _exponent(value)
    if exponent < -4 or exponent > 6:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}·10{int(power)}".replace(f"10{int(power)}", "10" + _superscript(int(power)))
    text = fixed(value, digits - 1 - exponent)
    if not keep_zeros and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text


def _superscript(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _exponent(value: float) -> int:
    """Power of ten of the leading digit; 0 for 0."""
    return math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0


def _has_interval(estimate: Estimate) -> bool:
    ends = (estimate.low, estimate.high)
    return all(end is not None and math.isfinite(end) for end in ends)


def _with_unit(text: str, unit: str) -> str:
    if unit in ("×", "/s", ""):
        return f"{text}{_NARROW_SPACE}{unit}" if unit == "/s" else f"{text}{unit}"
    return f"{text}\u00a0{unit}"


def _basis(estimate: Estimate) -> str:
    """What the ends are: an interval at some confidence, or, at confidence 1, the range of all values seen."""
    certain = estimate.confidence >= 1
    words = "range" if certain else f"{share(estimate.confidence)} interval"
    parts = []
    if estimate.trials:
        parts.append(f"{estimate.trials} trial{'s' if estimate.trials != 1 else ''}")
    if estimate.samples and not certain:
        parts.append(f"{fixed(estimate.samples, 0)} sample{'s' if estimate.samples != 1 else ''}")
    return f"{words} from {', '.join(parts)}" if parts else words
