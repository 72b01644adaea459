"""Doubts whether the engine ran as asked: its precision and its threads, by its own account and by CPU time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.judge.parity.axes import asked_sizes, judge_axes, specs_of
from harness.records import Result, Warning_

CPU_EXCESS = 1.3
"""CPU time over wall time, per thread asked for, above which an engine must have used more threads."""
MIN_WALL_S = 0.1

_PRECISIONS = {
    "fp32": "fp32",
    "f32": "fp32",
    "float32": "fp32",
    "float": "fp32",
    "fp16": "fp16",
    "f16": "fp16",
    "float16": "fp16",
    "half": "fp16",
    "bf16": "bf16",
    "bfloat16": "bf16",
    "tf32": "tf32",
    "int8": "int8",
    "i8": "int8",
    "u8": "int8",
}
_PRECISION_KEYS = ("precision", "inference_precision", "inference_precision_hint")
_THREAD_KEYS = ("threads", "num_threads", "intra_op_num_threads", "inference_num_threads")


def doubts(result: Result) -> tuple[Warning_, ...]:
    """All doubts about the effective configuration of a measured result."""
    effective = {key.lower(): value for key, value in result.effective.items()}
    return (
        *_precision(result.case.contender.precision, effective),
        *_tf32(result.case.contender.precision, effective),
        *_threads(result, effective),
        *_axes(result),
    )


def _axes(result: Result) -> Iterator[Warning_]:
    """An engine that was built for one size runs it as no other user's model would."""
    signature, model, variant = result.signature, result.case.model, result.case.variant
    if signature is None:
        return
    inputs = specs_of(model.inputs)
    sizes = asked_sizes(inputs, variant.batch, variant.dims)
    fixed = [
        finding.message
        for finding in judge_axes(inputs, specs_of(signature.inputs), "input", sizes)
        if finding.code == "axis_fixed" and finding.kind == "remark"
    ]
    if fixed:
        yield Warning_(
            code="shapes_fixed",
            message=f"The engine was built for these sizes alone: {'; '.join(fixed)}.",
            figure=float(len(fixed)),
            consequence="Its speed is that of a model that takes no other size.",
            advice="Compare with contenders that are built for the same sizes, or leave the option out that does it.",
        )


def _precision(asked: str, effective: Mapping[str, Any]) -> Iterator[Warning_]:
    told = _first(effective, _PRECISION_KEYS)
    used = None if told is None else {_PRECISIONS.get(part) for part in str(told).lower().split("+")}
    if used is None or None in used:
        yield Warning_(
            code="precision_unreadable",
            message=f"The engine does not tell in which precision it computed (asked: {asked}"
            + ("" if told is None else f"; answer: {told}")
            + ").",
            consequence="A speed that comes from a lower precision would go unnoticed, except in parity.",
            advice="Compare the parity figures with those of an engine that is known to compute in this precision.",
        )
    elif used != {asked}:
        yield Warning_(
            code="precision_differs",
            message=f"The engine computed in {told}, asked was {asked}.",
            consequence="Its speed and its error are those of another precision: the comparison is not like for like.",
            advice=f"Ask for that precision (`@{'+'.join(sorted(map(str, used)))}`), or set the engine's options so "
            f"that it computes in {asked}.",
        )


def _tf32(asked: str, effective: Mapping[str, Any]) -> Iterator[Warning_]:
    switches = sorted(key for key, value in effective.items() if "tf32" in key and value in (True, 1, "1"))
    if asked == "fp32" and switches:
        yield Warning_(
            code="tf32_allowed",
            message=f"TF32 is allowed ({', '.join(switches)}) although fp32 was asked.",
            consequence="Matrix products may be computed with 10 bits of mantissa: faster, and less exact.",
            advice="Switch it off, or ask for `@tf32` where the backend has it.",
        )


def _threads(result: Result, effective: Mapping[str, Any]) -> Iterator[Warning_]:
    if not _on_cpu(effective):
        return
    asked = result.case.variant.threads
    told = _first(effective, _THREAD_KEYS)
    # A bool is an int in Python, but no number of threads.
    used = int(str(told)) if str(told).isdecimal() and not isinstance(told, bool) else None
    if used is None:
        yield Warning_(
            code="threads_unreadable",
            message=f"The engine does not tell how many threads it used (asked: {asked}).",
            consequence="A speed that comes from more threads would go unnoticed, except in CPU time.",
            advice="Look at the CPU seconds of the rounds.",
        )
    elif used != asked:
        chosen = "as many threads as it likes" if used == 0 else f"{used} thread{'s' if used != 1 else ''}"
        yield Warning_(
            code="threads_differ",
            message=f"The engine used {chosen}, asked was {asked}.",
            figure=float(used),
            consequence="Contenders with different numbers of threads are not compared like for like.",
            advice=f"Pass a number of threads that every contender accepts (`--threads {used or 1}`).",
        )
    yield from _cpu_time(result, asked)


def _cpu_time(result: Result, asked: int) -> Iterator[Warning_]:
    """An engine that starts threads behind its own settings shows in CPU time, whatever it tells."""
    rounds = [item for trial in result.trials for item in trial.rounds if item.cpu_s is not None]
    wall_s = sum(sum(item.samples_ns) for item in rounds) * 1e-9
    cpu_s = sum(item.cpu_s or 0.0 for item in rounds)
    if wall_s < MIN_WALL_S or asked < 1:
        return
    busy = cpu_s / wall_s
    if busy > CPU_EXCESS * asked:
        yield Warning_(
            code="more_cpu_than_threads",
            message=f"The engine kept {busy:.1f} cores busy, asked were {asked} threads.",
            figure=busy,
            consequence="It uses threads beyond those asked for, so that its speed is that of more cores.",
            advice="Set the engine's own thread options or OMP_NUM_THREADS, or compare at as many threads for all.",
        )


def _on_cpu(effective: Mapping[str, Any]) -> bool:
    """Threads are compared on CPUs only; an engine that does not name its device is taken to run on one."""
    device = str(effective.get("device", "cpu")).lower()
    return device.startswith("cpu") or not device


def _first(effective: Mapping[str, Any], keys: tuple[str, ...]) -> Any | None:
    return next((effective[key] for key in keys if effective.get(key) is not None), None)
