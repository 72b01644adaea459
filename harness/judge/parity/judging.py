"""All outputs of an engine on all input sets, held against the reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from backends.contract import Array, TensorSpec
from harness.judge.parity.dependence import independent_outputs
from harness.judge.parity.diagnostics import diagnose
from harness.judge.parity.drift import judge_drift
from harness.judge.parity.outputs import judge_output
from harness.judge.parity.picture import error_picture
from harness.judge.parity.reference_outputs import Outputs, Reference, References
from harness.judge.parity.summary import summarise, worst_place
from harness.records import OutputParity, Parity, SelfAgreement

Detail = Literal["none", "worst", "all"]


def judge_parity(
    declared: Sequence[TensorSpec],
    outputs: Mapping[str, Outputs],
    references: References,
    *,
    precision: str,
    backend: str,
    breaches: Sequence[str],
    drift: float | None,
    detail: Detail = "worst",
) -> Parity:
    """The whole verdict on one loaded engine.

    `outputs` are the engine's by input set and name; `breaches` those of its contract; `drift` the relative difference
    between the outputs of timed and of checked calls (see `judge_drift`). Where the `backend` itself stands in for a
    reference, agreement with itself is no pass.
    """
    judged = judge_outputs(declared, outputs, references, precision, detail=detail)
    parity = summarise(
        judged,
        tuple(dict.fromkeys(breaches)),
        judge_drift(drift, judged, references.precision(precision)),
        references.reference_name,
        references.yardstick_name,
        references.problem,
    )
    facts: dict[str, object] = {
        "reference_strength": references.strength,
        "reference_note": references.note,
        "disagreements": references.disagreements,
    }
    if parity.status == "pass" and references.engine == backend:
        facts |= {
            "status": "unknown",
            "reason": f"it agrees with {references.reference_name}, which is the engine itself: {references.note}",
        }
    return parity.model_copy(update=facts)


def judge_outputs(
    declared: Sequence[TensorSpec],
    outputs: Mapping[str, Outputs],
    references: References,
    precision: str,
    *,
    detail: Detail = "worst",
) -> tuple[OutputParity, ...]:
    """A verdict for every declared output on every input set that `references` knows.

    `outputs` are the engine's by input set and name, `precision` the contender's. An output on which the reference
    disagrees with itself is nondeterministic; one that does not follow its input, although the reference's does, is
    a fault however small the error is. `detail` says which verdicts carry diagnostics; the worst one carries a
    picture of its error too, unless it passes and only "worst" is asked.
    """
    budgeted = references.precision(precision)
    known = {name: reference for name, reference in references.by_set.items() if name in outputs}
    typical = {spec.name: _typical(spec.name, known.values()) for spec in declared}
    random = {(one.input_set, one.output): one for one in references.disagreements}
    rights = {name: reference.right for name, reference in known.items()}
    stuck = independent_outputs({name: outputs[name] for name in known}, rights, budgeted)
    # Of the right shape where that depends on the data, such as no box found: elsewhere there is something to compare.
    filled = {spec.name for spec in declared if any(one.right[spec.name].size for one in known.values())}
    judged: list[OutputParity] = []
    for name, reference in known.items():
        for spec in declared:
            key = spec.name
            one = judge_output(
                key,
                name,
                outputs[name].get(key),
                reference.right[key],
                reference.yardstick[key],
                budgeted,
                neighbours=[run[key] for run in reference.neighbours],
                ties=[run[key] for run in reference.ties.get(budgeted, ())],
                typical=typical[key],
                summands=reference.summands,
                summed=[run[key] for run in reference.summed],
            )
            if (name, key) in random and _comparable(outputs[name].get(key), reference.right[key]):
                # The yardstick's error is as random as the rest: no unit to count in.
                doubt = {"status": "nondeterministic", "reason": _doubt(random[name, key])}
                one = one.model_copy(update={**doubt, "ratio_rms": None, "ratio_max": None})
            elif key in filled and _rightly_empty(outputs[name].get(key), reference.right[key]):
                one = one.model_copy(
                    update={"status": "pass", "reason": "", "note": "empty, as it should be"}
                )
            elif key in stuck and one.status != "fail":
                one = one.model_copy(update={"status": "fail", "reason": stuck[key]})
            judged.append(one)
    return _with_detail(judged, outputs, known, detail)


def _comparable(actual: Array | None, right: Array) -> bool:
    """Whether there is something to compare: what is missing, misshapen or not finite is wrong in any case."""
    return actual is not None and actual.shape == right.shape and bool(np.isfinite(actual).all())


def _rightly_empty(actual: Array | None, right: Array) -> bool:
    return actual is not None and actual.shape == right.shape and right.size == 0


def _doubt(one: SelfAgreement) -> str:
    return (
        f"two runs of the reference differ here by {one.difference:.2g} of the output's own size, "
        f"in {one.differing} of {one.total} numbers"
    )


def _typical(output: str, references: Iterable[Reference]) -> float:
    """The usual size of an output: the median over input sets of its root mean square, zeros left out."""
    sizes = []
    for reference in references:
        right = reference.right[output]
        if right.dtype.kind == "f" and right.size and np.isfinite(right).all():
            sizes.append(float(np.sqrt(np.mean(np.square(right)))))
    sizes = [size for size in sizes if size > 0]
    return float(np.median(sizes)) if sizes else 0.0


def _with_detail(
    judged: Sequence[OutputParity],
    outputs: Mapping[str, Outputs],
    references: Mapping[str, Reference],
    detail: Detail,
) -> tuple[OutputParity, ...]:
    worst = worst_place(judged)
    if detail == "none" or worst is None:
        return tuple(judged)
    return tuple(
        _detailed(
            one,
            outputs[one.input_set].get(one.output),
            references[one.input_set],
            picture=one is worst and (detail == "all" or one.status != "pass"),
        )
        if detail == "all" or one is worst
        else one
        for one in judged
    )


def _detailed(
    one: OutputParity, actual: Array | None, reference: Reference, *, picture: bool
) -> OutputParity:
    right = reference.right[one.output]
    if actual is None or actual.shape != right.shape or actual.size == 0:
        return one
    return one.model_copy(
        update={
            "diagnostics": diagnose(actual, right, reference.yardstick[one.output]),
            "picture": error_picture(actual, right) if picture else None,
        }
    )
