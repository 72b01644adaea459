"""Gates and their figures in words."""

from __future__ import annotations

from harness.judge.comparison import Estimate
from harness.judge.gate_types import Gate, LatencyGate, MeasuredGate, MemoryGate, ParityGate, RatioGate


def asks(gate: Gate) -> str:
    """What a gate asks, in a few words."""
    match gate:
        case ParityGate():
            return "every contender computes the right thing"
        case MeasuredGate():
            return "every case is measured"
        case LatencyGate():
            return f"{gate.percentile} of {gate.contender} ≤ {seconds(gate.at_most)}"
        case RatioGate():
            return f"latency of {gate.of} / latency of {gate.to} ≤ {gate.at_most:g}"
        case MemoryGate():
            return f"peak memory of {gate.contender} ≤ {size(gate.at_most)}"


def scope(gate: Gate) -> str:
    """The groups that a gate is narrowed to, such as "model resnet50, batch 8"; empty for all."""
    if isinstance(gate, ParityGate | MeasuredGate):
        return ""
    parts = [f"{name} {value}" for name in ("model", "batch", "threads") if (value := getattr(gate, name))]
    return ", ".join(parts)


def place(model: str, batch: int, threads: int, scenario: str) -> str:
    """A group in words."""
    return f"{model}, batch {batch}, {threads} {'thread' if threads == 1 else 'threads'}, {scenario}"


def seconds(value: float) -> str:
    """A duration with four digits and a unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(value) >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value / 1e-9:.4g} ns"


def size(value: float) -> str:
    """A size with four digits in binary units."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(value) >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value:.0f} B"


def times(value: float) -> str:
    """A ratio of latencies."""
    return f"{value:.3f}"


def evidence(estimate: Estimate) -> str:
    """What a figure rests on: "95 % confidence, 120 samples, 4 trials"."""
    parts = []
    if estimate.low is not None and estimate.confidence < 1:
        parts.append(f"{estimate.confidence * 100:.6g} % confidence")
    if estimate.samples:
        parts.append(f"{estimate.samples} {'sample' if estimate.samples == 1 else 'samples'}")
    if estimate.trials:
        parts.append(f"{estimate.trials} {'trial' if estimate.trials == 1 else 'trials'}")
    return ", ".join(parts) or "samples not counted"
