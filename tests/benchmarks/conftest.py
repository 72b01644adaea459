"""Tables of the benchmarks, printed after the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.benchmarks.side_by_side import Table

TABLES = pytest.StashKey[list[str]]()


@pytest.fixture
def publish(request: pytest.FixtureRequest, benchmark: Any) -> Callable[[Table, str], None]:
    """Print a table at the end of the session and keep its figures in pytest-benchmark's JSON.

    The test fails afterwards when a row is missing: a peer that is not installed must not look like a peer beaten.
    """

    def take(table: Table, base: str) -> None:
        request.config.stash.setdefault(TABLES, []).append(table.text(base))
        benchmark.extra_info.update(
            {
                "unit": table.unit,
                "medians": {row: table.median(row) for row in table.values},
                "values": table.values,
                "missing": table.missing,
                "notes": table.notes,
            }
        )
        if table.missing:
            pytest.fail(
                "; ".join(f"{row} could not be measured: {why}" for row, why in table.missing.items()),
                pytrace=False,
            )

    return take


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what `publish` took."""
    for text in config.stash.get(TABLES, []):
        terminalreporter.write_line("")
        terminalreporter.write_line(text)
