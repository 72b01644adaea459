"""What a parity check says, in words and figures, for the terminal and the page alike. No console here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.judge.layer_words import answer_words
from harness.judge.parity_document import ContenderVerdict, ParityDocument, WorstPlace
from harness.records import OutputParity
from harness.records.layers import LayerSearch
from harness.records.parity_check import ParityRecord
from harness.records.parity_figures import Diagnostics
from harness.show.numbers import exact, quantity, share, significant


@dataclass(frozen=True)
class ParityFigure:
    """One figure: its label, and its text; empty where the output has no such figure."""

    label: str
    text: Callable[[Diagnostics], str]


def _near_one(value: float | None) -> str:
    """A figure whose distance from 1 is what matters."""
    if value is None:
        return ""
    if value == 1:
        return "1"
    distance = 1 - value
    return f"1 − {significant(distance, 2)}" if 0 < distance < 1e-3 else significant(value, 4)


def _at(value: float | None, index: tuple[int, ...] | None) -> str:
    if value is None:
        return ""
    return significant(value, 3) + (f" at {list(index)}" if index else "")


def _count(value: int, reference: int) -> str:
    return f"{value:,}" + (f" (reference {reference:,})" if reference else "") if value or reference else ""


def _share(value: float | None) -> str:
    return "" if value is None else share(value)


def _quantile(at: float) -> Callable[[Diagnostics], str]:
    def text(figures: Diagnostics) -> str:
        return next((significant(q.error, 3) for q in figures.quantiles if q.share == at), "")

    return text


FIGURES = (
    ParityFigure("cosine", lambda d: _near_one(d.cosine)),
    ParityFigure(
        "signal to error (SQNR)", lambda d: "" if d.sqnr_db is None else f"{significant(d.sqnr_db, 3)} dB"
    ),
    ParityFigure("largest error", lambda d: _at(d.max_abs, d.max_abs_index)),
    ParityFigure("largest relative error", lambda d: _at(d.max_rel, d.max_rel_index)),
    ParityFigure(
        "largest distance", lambda d: "" if d.ulp_max is None else f"{d.ulp_max:,} ULP of {d.ulp_dtype}"
    ),
    ParityFigure("same first place (top-1)", lambda d: _share(d.top1)),
    ParityFigure("first among five (top-5)", lambda d: _share(d.top5)),
    ParityFigure("rank correlation", lambda d: _near_one(d.rank_correlation)),
    ParityFigure("half of the errors below", _quantile(0.5)),
    ParityFigure("99 % of the errors below", _quantile(0.99)),
    ParityFigure("99.9 % of the errors below", _quantile(0.999)),
    ParityFigure("NaN", lambda d: _count(d.nan, d.reference_nan)),
    ParityFigure("infinite", lambda d: _count(d.infinite, d.reference_infinite)),
    ParityFigure("constant", lambda d: "yes" if d.constant else ""),
)
"""Errors are absolute, or (those below which a share lies) over the output's own size."""


def title(record: ParityRecord) -> str:
    """What was checked."""
    batches = ", ".join(str(batch) for batch in dict.fromkeys(v.batch for v in record.planned))
    judged = f", judged by {record.reference_model.name}" if record.reference_model else ""
    return f"{record.model.name}, batch {batches}{judged}"


def verdict_words(verdict: ContenderVerdict) -> str:
    """Why a contender has its verdict: the reason, or what was compared and where its error is largest."""
    if verdict.reason:
        return verdict.reason
    outputs = f"{verdict.compared} output{'s' if verdict.compared != 1 else ''} compared"
    return outputs if verdict.worst is None else f"{outputs}, the worst at {place_words(verdict.worst)}"


def place_words(worst: WorstPlace) -> str:
    """A place with its error against its budget."""
    index = f" at {list(worst.index)}" if worst.index is not None and worst.measure == "max" else ""
    what = "largest error" if worst.measure == "max" else "error"
    return (
        f"{quantity(worst.ratio, 'ratio')} of {exact(worst.budget, 'ratio')} allowed ({what} of {worst.output} "
        f"on {worst.input_set}, batch {worst.batch}{index})"
    )


def layer_answer(found: LayerSearch) -> str:
    """Where a contender broke, in one sentence."""
    return f"{found.contender.text}, tensor by tensor on {found.input_set}: {answer_words(found)}"


def place_name(record: ParityRecord, output: OutputParity, batch: int) -> str:
    """Output and input set, and the batch where there are several."""
    return f"{output.output} · {output.input_set}" + (f" · batch {batch}" if len(record.planned) > 1 else "")


def worst_output(document: ParityDocument, verdict: ContenderVerdict) -> OutputParity | None:
    """The output at a contender's worst place."""
    if verdict.worst is None:
        return None
    parity = document.record.checks[verdict.worst.check].parity
    return parity.outputs[verdict.worst.entry] if parity else None


def notes(record: ParityRecord) -> list[str]:
    """What judged, on which inputs, what was left out, and what a pass has overlooked."""
    lines = [_judge(record, place) for place in range(len(record.variants))]
    sets = dict.fromkeys(entry.name for variant in record.variants for entry in variant.input_sets)
    if sets:
        lines.append(f"Input sets: {', '.join(sets)}; the same bytes for every contender.")
    left = [(each.name, each.reason) for variant in record.variants for each in variant.left_out]
    lines += [f"Not judged: {name}, because {reason}." for name, reason in left]
    if record.judged_as:
        coarser = (
            "" if record.reference_model is None else ", or of their own precision where that is coarser"
        )
        lines.append(f"All are held to the budgets of {record.judged_as}{coarser}.")
    for check in record.checks:
        for output in check.parity.outputs if check.parity else ():
            if output.note:
                lines.append(f"{check.contender.text}, {output.output} on {output.input_set}: {output.note}")
    return list(dict.fromkeys(lines))


def _judge(record: ParityRecord, place: int) -> str:
    variant = record.variants[place]
    if variant.problem:
        return f"There is no reference: {variant.problem}"
    words = f"Reference: {variant.reference}; unit of error: {variant.yardstick}."
    told = dict.fromkeys(check.parity.reference_note for check in record.checks if check.parity)
    return " ".join([words, *(f"{note[0].upper()}{note[1:]}." for note in told if note)])
