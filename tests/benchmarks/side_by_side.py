"""Several things measured in the same rounds, in random order, so that a slow moment slows them all."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

Measure = Callable[[], float]
"""Does its work once and returns its cost (seconds, nanoseconds a call, bytes)."""


@dataclass
class Table:
    """Costs by row, one value a round. `missing` names rows that could not be measured, with the reason."""

    title: str
    unit: str
    values: dict[str, list[float]]
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def median(self, row: str) -> float:
        """Median over the rounds."""
        return median(self.values[row])

    def ratios(self, row: str, base: str) -> list[float]:
        """Cost of `row` over cost of `base`, formed within each round."""
        return [a / b for a, b in zip(self.values[row], self.values[base], strict=True)]

    def differences(self, row: str, base: str) -> list[float]:
        """Cost of `row` less cost of `base`, formed within each round."""
        return [a - b for a, b in zip(self.values[row], self.values[base], strict=True)]

    def text(self, base: str) -> str:
        """The table as it is printed: medians, middle halves, and ratios to `base`."""
        width = max(len(row) for row in [*self.values, *self.missing])
        rounds = len(self.values[base])
        lines = [
            f"{self.title} ({rounds} rounds, all rows in every round, random order)",
            f"  {'':<{width}} {'median ' + self.unit:>14} {'middle half':>23} {'ratio':>9} {'middle half':>19}",
        ]
        for row, values in self.values.items():
            ratios = self.ratios(row, base)
            low, high = middle_half(values)
            ratio_low, ratio_high = middle_half(ratios)
            lines.append(
                f"  {row:<{width}} {median(values):>14.4g} [{low:>10.4g}, {high:>9.4g}] "
                f"{median(ratios):>9.3g} [{ratio_low:>8.3g}, {ratio_high:>7.3g}]"
            )
        lines += [f"  {row:<{width}} NOT MEASURED: {reason}" for row, reason in self.missing.items()]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def middle_half(values: Sequence[float]) -> tuple[float, float]:
    """First and third quartile; the value itself where there is only one."""
    if len(values) < 2:
        return values[0], values[0]
    first, _, third = quantiles(values, n=4, method="inclusive")
    return first, third


def run_side_by_side(
    benchmark: Any, rows: Mapping[str, Measure], *, ours: str, rounds: int, seed: int = 0
) -> dict[str, list[float]]:
    """Measure all `rows` in every round, in random order; `ours` is the row that pytest-benchmark records.

    One round before the first is thrown away: caches are cold.
    """
    order = random.Random(seed)
    for measure in rows.values():
        measure()
    values: dict[str, list[float]] = {row: [] for row in rows}
    after: list[str] = []

    def measure_row(row: str) -> None:
        values[row].append(rows[row]())

    def rows_before_ours() -> None:
        shuffled = order.sample(list(rows), len(rows))
        place = shuffled.index(ours)
        after[:] = shuffled[place + 1 :]
        for row in shuffled[:place]:
            measure_row(row)

    def rows_after_ours() -> None:
        for row in after:
            measure_row(row)

    benchmark.pedantic(
        lambda: measure_row(ours),
        setup=rows_before_ours,
        teardown=rows_after_ours,
        rounds=rounds,
        iterations=1,
    )
    return values


def verdict_on_aim(what: str, value: float, aim: float, unit: str) -> str:
    """One line that says whether an aim is met. Aims are reported, not asserted: machines differ."""
    return f"{what}: {value:.4g} {unit}; aim at most {aim:g} {unit}: {'met' if value <= aim else 'MISSED'}"
