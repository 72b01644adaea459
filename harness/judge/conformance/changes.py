"""What changed between two versions of an engine: broken cases first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from harness.records import Record
from harness.records.conformance import CaseFacts, CaseResult, Outcome

Direction = Literal["broken", "fixed", "other", "new", "gone", "case_changed"]

_ORDER: tuple[Direction, ...] = ("broken", "fixed", "other", "case_changed", "new", "gone")
_RANK: dict[Outcome, int] = {
    "passes": 0,
    "excluded": 1,
    "unsupported": 2,
    "fails": 3,
    "times_out": 4,
    "crashes": 5,
}


class Change(Record):
    """One case whose outcome differs; an outcome of None: it is not on record for that version."""

    case: CaseFacts
    before: Outcome | None
    after: Outcome | None
    direction: Direction
    reason: str = ""


def changes_between(before: Iterable[CaseResult], after: Iterable[CaseResult]) -> tuple[Change, ...]:
    """Cases that differ, broken ones first.

    Broken: it passed and does not any more, or it turned from lacking or failing into something worse. A case whose
    content changed with the onnx package (another digest) says nothing of the engine: it is "case_changed" where the
    outcome differs, and left out where it does not.
    """
    old = {result.case.name: result for result in before}
    new = {result.case.name: result for result in after}
    changes = []
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        told = now or was
        assert told is not None
        if was is not None and now is not None and was.outcome == now.outcome:
            continue
        changes.append(
            Change(
                case=told.case,
                before=was.outcome if was else None,
                after=now.outcome if now else None,
                direction=_direction(was, now),
                reason=now.reason if now else "",
            )
        )
    return tuple(sorted(changes, key=lambda change: (_ORDER.index(change.direction), change.case.name)))


def _direction(was: CaseResult | None, now: CaseResult | None) -> Direction:
    if was is None:
        return "new"
    if now is None:
        return "gone"
    if was.case.sha256 != now.case.sha256:
        return "case_changed"
    if now.outcome == "passes":
        return "fixed"
    if now.outcome == "excluded":
        # No longer judged: no proof that it works, and none that it broke, unless it passed before.
        return "broken" if was.outcome == "passes" else "other"
    return "broken" if _RANK[now.outcome] > _RANK[was.outcome] else "other"
