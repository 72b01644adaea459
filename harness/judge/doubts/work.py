"""Doubts about whether a timed call does the work of an inference."""

from __future__ import annotations

from harness.judge.work_done import LATE_DOUBT, judge_work
from harness.records import Result, Warning_


def doubts(result: Result) -> tuple[Warning_, ...]:
    """A doubt when calls leave work out, leave it for later, or could not be looked at."""
    if not any(item.samples_ns for trial in result.trials for item in trial.rounds):
        return ()
    found = judge_work(result.trials)
    if found.status == "pass":
        return ()
    if found.status == "unknown":
        return (
            Warning_(
                code="repeats_unchecked",
                message=f"Whether timed calls do the work again on inputs they have seen is not known: {found.words}.",
                consequence="An engine that keeps its outputs would look faster than it is.",
                advice="Measure at least one whole trial (`--budget`) with inputs that hold more than one value.",
            ),
        )
    late = found.late.value is not None and found.late.value > LATE_DOUBT
    return (
        Warning_(
            code="work_after_call" if late else "repeats_faster",
            message=f"Timed calls leave work out: {found.words}.",
            figure=found.late.value if late else found.ratio.value,
            consequence="The latency is not that of an inference: users have new inputs in every call, and read the "
            "outputs.",
            advice="Look for an option of the engine that keeps outputs or captured graphs by input."
            if not late
            else "The adapter must not return from a timed call before its outputs are there.",
        ),
    )
