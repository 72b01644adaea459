"""From the flags of `harness throughput` to a plan, and the identity of its points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import UsageError
from harness.judge.load.search import Limits
from harness.plan.cases import case_key, group_key, model_dims, model_name
from harness.plan.contender import parse_contenders
from harness.plan.quantities import parse_duration
from harness.records import Bounds, ContenderRef, Load, Settings, VariantRef

SCENARIO = "closed_loop"
OWN_PIPELINE = "own"
"""How a load names the model's own pipeline."""
_DEVICE_FLAVOURS = ("cuda", "gpu", "npu", "tensorrt")


@dataclass(frozen=True)
class ThroughputPlan:
    """What a search for the best throughput looks at."""

    name: str
    model: str
    model_name: str
    contenders: tuple[ContenderRef, ...]
    dims: Mapping[str, int]
    limits: Limits
    way: Literal["threads", "queue"]
    pinned: bool
    bounds: Bounds
    settings: Settings
    inputs: Path | None
    key: str
    end_to_end: bool = False
    """Requests go from encoded items to answers."""
    pipeline: str = ""
    """Which pipeline, NAME[:IMPLEMENTATION]; empty: the model's own."""
    items: tuple[Path, ...] = ()

    def limits_of(self, contender: ContenderRef) -> Limits:
        """Where to look with this contender: cores do not limit what runs on a device."""
        if contender.flavour not in _DEVICE_FLAVOURS:
            return self.limits
        given = self.limits
        return Limits(
            given.batches, given.threads, given.cores, given.levels, given.instances, on_device=True
        )

    def load(self, concurrency: int) -> Load:
        """The load of one point."""
        return Load(
            concurrency=concurrency,
            way=self.way,
            instances=self.limits.instances,
            pipeline=(self.pipeline or OWN_PIPELINE) if self.end_to_end else "",
        )

    def key_of(self, contender: ContenderRef, variant: VariantRef, load: Load) -> str:
        """Identity of one point over time."""
        return f"{case_key(self.model_name, contender, variant, SCENARIO)} | {_load_part(load)}"

    def group_of(self, variant: VariantRef, load: Load) -> str:
        """What contenders at the same point share."""
        return f"{group_key(self.model_name, variant, SCENARIO)} | {_load_part(load)}"


def plan_throughput(
    contenders: Sequence[str],
    model: str,
    *,
    batches: Sequence[int],
    threads: Sequence[int],
    levels: Sequence[int],
    dims: Mapping[str, int],
    cores: int,
    instances: int,
    way: Literal["threads", "queue"],
    pinned: bool,
    bounds: Bounds,
    settings: Settings,
    inputs: Path | None,
    end_to_end: bool = False,
    pipeline: str = "",
    items: Sequence[Path] = (),
) -> ThroughputPlan:
    """Plan a search; `threads` empty: powers of two up to the cores. Raises UsageError for what cannot be."""
    refs = parse_contenders(contenders)
    if end_to_end and way == "queue":
        raise UsageError(
            "--way queue: an engine's queue holds inferences, not pre- and post-processing",
            "leave --end-to-end out, or use --way threads",
        )
    if (pipeline or items) and not end_to_end:
        given = f"--pipeline {pipeline}" if pipeline else f"--item {items[0]}"
        raise UsageError(f"{given}: nothing uses it", "add --end-to-end")
    chosen = tuple(dict.fromkeys(threads)) or _powers(cores // instances)
    if pinned and cores // instances < max(chosen):
        raise UsageError(
            f"--pin: {instances} instances of {max(chosen)} threads need {instances * max(chosen)} cores, "
            f"{cores} are usable",
            "give fewer --instances or --threads, or leave --pin out",
        )
    limits = Limits(tuple(dict.fromkeys(batches)), chosen, cores, tuple(sorted(set(levels))), instances)
    name = model_name(model)
    sizes = model_dims(model, dims)
    content = {
        "model": model,
        "contenders": [ref.text for ref in refs],
        "limits": [limits.batches, limits.threads, limits.levels, instances, way, pinned],
        "dims": sizes,
        "bounds": bounds.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json"),
        "inputs": str(inputs),
        "pipeline": [end_to_end, pipeline, *map(str, items)],
    }
    text = json.dumps(content, sort_keys=True)
    return ThroughputPlan(
        name=f"throughput of {' and '.join(ref.text for ref in refs)} on {name}",
        model=model,
        model_name=name,
        contenders=refs,
        dims=sizes,
        limits=limits,
        way=way,
        pinned=pinned,
        bounds=bounds,
        settings=settings,
        inputs=inputs,
        key=hashlib.sha256(text.encode()).hexdigest(),
        end_to_end=end_to_end,
        pipeline=pipeline,
        items=tuple(items),
    )


def parse_levels(text: str) -> tuple[int, ...]:
    """`auto` (empty) or `1,2,4`. Raises UsageError."""
    if text.strip() == "auto":
        return ()
    try:
        levels = tuple(int(part) for part in text.split(","))
    except ValueError:
        levels = ()
    if not levels or min(levels) < 1:
        raise UsageError(
            f"--concurrency {text}: not a list of whole numbers from 1", "give auto, or for example 1,2,4"
        )
    return levels


def parse_latency_bound(text: str) -> tuple[Literal["p50", "p90", "p99"], float]:
    """`p99=50ms`, or `50ms` for p99: metric and seconds. Raises UsageError."""
    name, _, value = text.rpartition("=")
    hint = "give for example p99=50ms; the metric is p50, p90 or p99"
    metrics: dict[str, Literal["p50", "p90", "p99"]] = {"": "p99", "p50": "p50", "p90": "p90", "p99": "p99"}
    if name.strip() not in metrics:
        raise UsageError(f"--max-latency {text}: unknown metric {name!r}", hint)
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise UsageError(f"--max-latency {text}: {error}", hint) from None
    return metrics[name.strip()], seconds


def _powers(most: int) -> tuple[int, ...]:
    powers = [1]
    while powers[-1] * 2 <= most:
        powers.append(powers[-1] * 2)
    return tuple(dict.fromkeys([*powers, max(1, most)]))


def _load_part(load: Load) -> str:
    parts = [f"concurrency {load.concurrency}"]
    if load.way != "threads":
        parts.append(load.way)
    if load.instances != 1:
        parts.append(f"instances {load.instances}")
    if load.pipeline:
        parts.append(f"pipeline {load.pipeline}")
    return " ".join(parts)
