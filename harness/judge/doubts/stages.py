"""Doubts about the stages of a call: do they add up, did every item and every step work?"""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.stage_times import (
    FEW_PAIRS,
    TOLERANCE,
    Additivity,
    additivity,
    missing_part,
    stage_passes,
)
from harness.records import Result, StagePass, Warning_

NO_STEP = "the model has no such step"
"""Reason of a pre- or post-processing that nobody asked for."""


def doubts(result: Result) -> tuple[Warning_, ...]:
    """All doubts about the stage passes of a measured result; none where no stages were timed."""
    passes = stage_passes(result)
    return (*_broken(passes), *_sum(passes), *_items(passes), *_steps(passes))


def _broken(passes: list[StagePass]) -> Iterator[Warning_]:
    """Passes that ended in an error; an engine always has the stage in which it infers."""
    reasons = [
        entry.reason for each in passes for entry in each.stages if entry.stage == "infer" and entry.reason
    ]
    if reasons:
        yield Warning_(
            code="stages_failed",
            message=f"{len(reasons)} of {len(passes)} stage passes ended in an error: {reasons[0]}",
            figure=len(reasons) / len(passes),
            consequence="The stages and the end-to-end time are missing there; the timed blocks are not affected.",
            advice="Repair the pre- or post-processing, or leave it out (`--pipeline none`).",
        )


def _sum(passes: list[StagePass]) -> Iterator[Warning_]:
    found = additivity(passes)
    if found is None or found.holds:
        return
    if found.pairs < FEW_PAIRS or abs(found.gap) - 2.0 * found.error <= TOLERANCE:
        yield Warning_(
            code="stages_unsettled",
            message=f"The stages differ from the whole call by {_percent(found)}, which {found.pairs} pairs of calls "
            f"on this machine know to ±{2.0 * found.error:.1%} only.",
            figure=found.gap,
            consequence="Whether a part of the call is in no stage is not settled.",
            advice="Measure longer (`--budget`) or on a quieter machine.",
        )
        return
    less = "less" if found.gap > 0 else "more"
    yield Warning_(
        code="stages_incomplete",
        message=f"The stages add up to {abs(found.gap):.1%} {less} than the whole call "
        f"({found.sum_s * 1e3:.3g} of {found.whole_s * 1e3:.3g} ms, ±{2.0 * found.error:.1%}).",
        figure=found.gap,
        consequence=f"The difference lies {missing_part(passes, found)}.",
        advice="Trust the end-to-end time; read the stages as shares.",
    )


def _percent(found: Additivity) -> str:
    return f"{found.gap:+.1%}"


def _items(passes: list[StagePass]) -> Iterator[Warning_]:
    problems = list(dict.fromkeys(problem for each in passes for problem in each.problems))
    if problems:
        kept = len(passes[-1].items)
        yield Warning_(
            code="items_left_out",
            message=f"{len(problems)} of {len(problems) + kept} items could not be preprocessed: {problems[0]}"
            + (" ..." if len(problems) > 1 else ""),
            figure=float(len(problems)),
            consequence=f"Stages were timed with the other {kept}."
            if kept
            else "Preprocessing was not timed.",
            advice="Repair the files, or give others with `--item`.",
        )


def _steps(passes: list[StagePass]) -> Iterator[Warning_]:
    failed = {
        entry.stage: entry.reason
        for each in passes
        if each.end_to_end_ns
        for entry in each.stages
        if entry.stage in ("preprocess", "postprocess") and entry.reason not in ("", NO_STEP)
    }
    for stage, reason in failed.items():
        yield Warning_(
            code=f"{stage}_failed",
            message=f"The {stage} step did not work: {reason}.",
            consequence="The end-to-end time is without it.",
            advice="Repair it, choose another implementation (`--pipeline NAME:IMPLEMENTATION`), or leave it out "
            "(`--pipeline none`).",
        )
