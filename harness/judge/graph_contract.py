"""Is what an engine made of a model still that model? Pure functions of graph facts.

`docs/decisions/0016-contract-and-timed-calls.md` says what is a breach, what a remark, and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backends.graph_facts import parameters_of
from harness.judge.parity.axes import asked_sizes, judge_axes, specs_of
from harness.judge.parity.signature import judge_contract
from harness.records.graph import GraphContract, GraphFacts, GraphFinding

SIGNIFICANDS = {
    "float64": 53,
    "float32": 24,
    "float16": 11,
    "bfloat16": 8,
    "float8e4m3fn": 4,
    "float8e5m2": 3,
}
"""Binary digits of the significand, the leading one included (IEEE 754-2019, table 3.5; for 8 bits OCP OFP8)."""
ASKED_SIGNIFICAND = {"fp32": 24, "tf32": 24, "fp16": 11, "bf16": 8}
"""What weights have to hold in memory at each precision: TF32 is float32 in memory. int8 has no such bound."""
INTEGER_BITS = {"int64": 63, "int32": 31, "int16": 15, "int8": 7, "uint64": 64, "uint32": 32, "uint16": 16}
LOWERED = 64
"""Weights of a model that has such of its own, fewer than which cannot be told from its scales and zero points: engines
copy these, or hold each other number of them once."""
GROWTH = 0.05
"""More parameters than the model by this share are told: layouts pad, tables are made ahead."""
GROWTH_ELEMENTS = 1024


def judge_graph(
    before: GraphFacts,
    after: GraphFacts,
    precision: str,
    *,
    batch: int = 1,
    dims: Mapping[str, int] | None = None,
) -> tuple[GraphFinding, ...]:
    """Findings about an engine's graph `after` conversion against the model's own `before`, breaches first.

    `precision` is what was asked for; `batch` and `dims` give the sizes of dynamic dimensions that were asked for.
    What a side does not know is not judged; `judge_graph` never turns a lack into a pass, see `GraphContract.status`.
    """
    found = [
        *_signature(before, after, batch, dims or {}),
        *_precision(before, after, precision),
        *_vanished(before, after),
        *_casts(before, after, precision),
        *_grown(before, after),
        *_opset(before, after),
    ]
    return tuple(sorted(found, key=lambda finding: finding.kind != "breach"))


def contract_of(
    before: GraphFacts | None,
    after: GraphFacts | None,
    precision: str,
    *,
    batch: int = 1,
    dims: Mapping[str, int] | None = None,
    problem: str = "",
) -> GraphContract:
    """Both graphs with what was found; without one of them the `problem` says why."""
    findings: tuple[GraphFinding, ...] = ()
    if before is not None and after is not None:
        findings = judge_graph(before, after, precision, batch=batch, dims=dims)
    return GraphContract(before=before, after=after, findings=findings, problem=problem)


def _signature(
    before: GraphFacts, after: GraphFacts, batch: int, dims: Mapping[str, int]
) -> Iterator[GraphFinding]:
    if not after.inputs and not after.outputs:
        return
    inputs = specs_of(before.inputs)
    sizes = asked_sizes(inputs, batch, dims)
    pairs = (
        ("input", inputs, specs_of(after.inputs)),
        ("output", specs_of(before.outputs), specs_of(after.outputs)),
    )
    for what, declared, engine in pairs:
        for message in judge_contract(declared, engine, what):
            yield GraphFinding(kind="breach", code="signature", message=message)
        yield from judge_axes(declared, engine, what, sizes)


def _precision(before: GraphFacts, after: GraphFacts, precision: str) -> Iterator[GraphFinding]:
    asked = ASKED_SIGNIFICAND.get(precision)
    if asked is None:
        return
    for where, histogram in (("the engine", after.dtypes), ("the artefact's file", after.stored)):
        ours, theirs = _below(before.dtypes, asked), _below(histogram, asked)
        # A weight that was lowered is one more below and one less above.
        lost = _above(before.dtypes, asked) - _above(histogram, asked)
        if theirs > ours and (not ours or min(theirs - ours, lost) >= LOWERED):
            kinds = ", ".join(f"{name} {histogram[name]:,}" for name in histogram if _is_below(name, asked))
            yield GraphFinding(
                kind="breach",
                code="lower_precision",
                message=f"{theirs:,} elements of weights are below {precision} in {where} ({kinds}); "
                f"in the model it is {ours:,}",
                consequence="The engine does not have the weights that it was given.",
            )


def _is_below(dtype: str, asked: int) -> bool:
    return SIGNIFICANDS.get(dtype, asked) < asked or _quantised(dtype)


def _quantised(dtype: str) -> bool:
    return dtype in ("int8", "uint8", "int4", "uint4") or dtype.startswith(("float8", "float4"))


def _below(histogram: Mapping[str, int], asked: int) -> int:
    return sum(count for name, count in histogram.items() if _is_below(name, asked))


def _above(histogram: Mapping[str, int], asked: int) -> int:
    return sum(
        count for name, count in histogram.items() if name in SIGNIFICANDS and not _is_below(name, asked)
    )


def _vanished(before: GraphFacts, after: GraphFacts) -> Iterator[GraphFinding]:
    for where, count in (
        ("the engine", after.parameters),
        ("the artefact's file", parameters_of(after.stored)),
    ):
        if before.parameters is None or count is None:
            continue
        least = before.parameters - before.foldable
        if count < least:
            yield GraphFinding(
                kind="breach",
                code="parameters_vanished",
                message=f"{count:,} parameters in {where}, {before.parameters:,} in the model; optimising explains "
                f"a loss of up to {before.foldable:,}",
                consequence=f"At least {least - count:,} parameters have no part in the result any more.",
            )


def _grown(before: GraphFacts, after: GraphFacts) -> Iterator[GraphFinding]:
    if before.parameters is None or after.parameters is None:
        return
    more = after.parameters - before.parameters
    if more > GROWTH * before.parameters + GROWTH_ELEMENTS:
        yield GraphFinding(
            kind="remark",
            code="parameters_grew",
            message=f"{after.parameters:,} parameters in the engine, {before.parameters:,} in the model",
            consequence="The engine holds values that it computed ahead, padding or copies; that costs memory.",
        )


def _casts(before: GraphFacts, after: GraphFacts, precision: str) -> Iterator[GraphFinding]:
    declared = {tensor.name: tensor.dtype for tensor in before.inputs}
    asked = ASKED_SIGNIFICAND.get(precision)
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, dtype in sorted(after.casts.items()):
        kinds.setdefault((declared.get(name, ""), dtype), []).append(name)
    for (ours, dtype), names in kinds.items():
        what = f"{'inputs' if len(names) > 1 else 'input'} {', '.join(names)}"
        cast = f"{ours} turned into {dtype} before anything is computed"
        if ours in INTEGER_BITS and INTEGER_BITS.get(dtype, 64) < INTEGER_BITS[ours]:
            yield GraphFinding(
                kind="remark",
                code="input_cast",
                message=f"{what}: {cast}",
                consequence=f"Values beyond ±2^{INTEGER_BITS[dtype]} would come out as others.",
            )
        elif asked is not None and SIGNIFICANDS.get(dtype, 64) < min(asked, SIGNIFICANDS.get(ours, 0)):
            yield GraphFinding(
                kind="breach",
                code="input_cast",
                message=f"{what}: {cast}; {precision} was asked for",
                consequence="The engine computes on other inputs than it was given.",
            )


def _opset(before: GraphFacts, after: GraphFacts) -> Iterator[GraphFinding]:
    for domain, version in before.opset.items():
        other = after.opset.get(domain)
        if other is not None and other != version:
            yield GraphFinding(
                kind="remark",
                code="opset_changed",
                message=f"operator set {domain} {other} in the engine, {version} in the model",
                consequence="Operators were rewritten to another version's definitions.",
            )
