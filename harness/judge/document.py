"""The whole of a comparison or suite run in one record: what `--json` writes and a report shows."""

from __future__ import annotations

from typing import Literal

from harness.judge.comparison import Group
from harness.judge.gate_types import GateOutcome
from harness.records import Record, Result, Run


class ComparisonDocument(Record):
    """What `--json` writes: the run, every result with its raw samples, and what was concluded from them."""

    schema_version: Literal[1] = 1
    kind: Literal["comparison"] = "comparison"
    run: Run
    results: tuple[Result, ...]
    groups: tuple[Group, ...]
    gates: tuple[GateOutcome, ...] = ()
    exit_code: int
