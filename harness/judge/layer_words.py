"""The findings of a layer search in sentences with their figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.records.layers import Difference, LayerSearch, PlaceVerdict, TensorError


def error_words(tensor: TensorError) -> str:
    """The error of a tensor in the measure that is further beyond its budget."""
    pairs = (
        (tensor.ratio_rms, tensor.budget_rms, "error"),
        (tensor.ratio_max, tensor.budget_max, "largest error"),
    )
    known = [(r / b, r, b, words) for r, b, words in pairs if r is not None and b and math.isfinite(r)]
    if not known:
        return tensor.reason or "nothing to compare"
    _, ratio, budget, words = max(known)
    return f"{words} {ratio:.3g}× the yardstick's, budget {budget:.3g}×"


def place_words(
    seen: TensorError,
    verdict: PlaceVerdict,
    alone: TensorError | None,
    group: Sequence[str],
    differences: Sequence[Difference],
    why_unchecked: str,
) -> str:
    """What was found at a place."""
    name = f"{seen.operator} {seen.node}".strip()
    what = f"{name} makes {seen.name} wrong: {error_words(seen)}"
    if verdict == "operator" and alone is not None:
        what += f"; from the values that the engine itself gave it: {error_words(alone)}"
    elif verdict == "fusion":
        inner = ", ".join(group[:-1]) or "what comes before it"
        what += f"; right as soon as {inner} must be handed out: the fault is in what the engine fuses here"
    elif verdict == "amplified" and alone is not None:
        what = (
            f"{name} amplifies what came in within its budget: {seen.name} has {error_words(seen)}; from the values"
            f" that the engine itself gave it: {error_words(alone)}"
        )
    elif verdict == "unchecked":
        what += f"; it could not be computed alone ({why_unchecked})" if why_unchecked else ""
    if verdict != "fusion" and len(group) > 1:
        what += f"; the engine has no values of {', '.join(group[:-1])}, in which it may begin"
    if differences:
        told = "; ".join(f"{d.what} is {d.model}, in the reference {d.reference}" for d in differences[:3])
        what += f". {told}"
    return what


def answer_words(found: LayerSearch) -> str:
    """What a search found, in a sentence."""
    if found.status == "found":
        return found.reason
    if found.status == "clean":
        return f"no error beyond its budget ({found.reason})"
    if found.status == "not_found":
        return f"the place was not found: {found.reason}"
    return f"n/a: {found.reason}"
