"""Dynamic dimensions before and after conversion: what an engine fixed, and what it opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backends.contract import TensorSpec
from harness.records import Tensor
from harness.records.graph import GraphFinding


def asked_sizes(inputs: Sequence[TensorSpec], batch: int, dims: Mapping[str, int]) -> dict[str, int]:
    """Sizes of the dynamic dimensions that a variant asks for: their names -> size."""
    sizes: dict[str, int] = {}
    for spec in inputs:
        if spec.shape and isinstance(spec.shape[0], str):
            sizes[spec.shape[0]] = batch
    return sizes | dict(dims)


def specs_of(tensors: Sequence[Tensor]) -> list[TensorSpec]:
    """Tensors of a record as the contract knows them."""
    return [TensorSpec(tensor.name, tensor.dtype, tensor.shape) for tensor in tensors]


def judge_axes(
    declared: Sequence[TensorSpec], engine: Sequence[TensorSpec], what: str, sizes: Mapping[str, int]
) -> tuple[GraphFinding, ...]:
    """Axes that are dynamic on one side and fixed on the other; `sizes` as `asked_sizes` gives them.

    Fixed at the size that was asked for: a remark, because the engine was specialised and computes what was asked,
    but takes nothing else any more. Fixed at another size: a breach. Fixed where nobody asked for a size (an output's
    own dimension): a remark, because the arrays that come back are judged by their shapes. Opened: a remark; the
    engine promises less, and the arrays are judged all the same.
    """
    found: list[GraphFinding] = []
    theirs = {spec.name: spec for spec in engine}
    for spec in declared:
        other = theirs.get(spec.name)
        if other is None or len(other.shape) != len(spec.shape):
            continue
        for axis, (ours, its) in enumerate(zip(spec.shape, other.shape, strict=True)):
            place = f"axis {axis} of {what} {spec.name}"
            if isinstance(ours, str) and isinstance(its, int):
                found.append(_fixed(place, ours, its, sizes.get(ours)))
            elif isinstance(ours, int) and isinstance(its, str):
                found.append(
                    GraphFinding(
                        kind="remark",
                        code="axis_opened",
                        message=f"{place} is dynamic in the engine; the model fixes it at {ours}",
                        consequence="The engine no longer knows the size when it optimises.",
                    )
                )
    return tuple(found)


def _fixed(place: str, name: str, size: int, asked: int | None) -> GraphFinding:
    if asked is not None and asked != size:
        return GraphFinding(
            kind="breach",
            code="axis_fixed",
            message=f"{place} is fixed at {size}; the model leaves it open ({name}), and {asked} was asked for",
            consequence="The engine cannot run what was asked for as the model would.",
        )
    return GraphFinding(
        kind="remark",
        code="axis_fixed",
        message=f"{place} is fixed at {size}; the model leaves it open ({name})",
        consequence="The engine takes no other size without another build.",
    )
