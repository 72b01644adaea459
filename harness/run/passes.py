"""Passes of their own at the end of a trial: stages of a call, and what calls cost beside time.

They run after the timed blocks, so that nothing of theirs (clocks between stages, readers of memory and energy) can be
in a block. Each answers a record; what could not be found out is in it as a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.contract import Array
from harness.environment.device_memory import device_memory_of
from harness.environment.energy import EnergyMeter
from harness.environment.memory import MemoryUse, memory_of
from harness.environment.reading import Reading
from harness.judge.pacing import fresh_pairs, pass_scale
from harness.records import FreshPass, ResourcePass, Settings, StageName, StagePass, StageTimes, TransferTimes
from harness.run.models import Processing
from harness.run.worker import Worker, WorkerFailure
from harness.worker.fresh import MOST
from harness.worker.tensors import unpack
from harness.worker.turning import HELD_BACK

STAGE_NS = 300_000_000
TRANSFER_NS = 10_000_000
USAGE_NS = 250_000_000
WATCH_NS = 100_000_000
SHORTEST_WATCH_NS = 40_000_000
FRESH_NS = 200_000_000
FIRST_TURN = HELD_BACK + 1
TURNS = MOST + 1
"""Turns of the inputs that one trial may take: every trial has its own."""
WATCH_EVERY_S = 0.02
"""Memory is looked at that often, and once at least."""

_STAGES: tuple[StageName, ...] = ("preprocess", "upload", "infer", "download", "postprocess")


def stage_pass(
    worker: Worker,
    input_set: str,
    processing: Processing | None,
    separate: Mapping[str, str],
    settings: Settings,
) -> StagePass:
    """Time the stages of a call in a thawed worker.

    `separate` is the adapter's `Capabilities.stages`: stage -> the reason why it cannot be separated, if it cannot.
    An error that the worker survives (a pipeline that fails in the middle) is the reason why there are no stages: the
    timed blocks are there all the same. Raises WorkerFailure when the worker is gone.
    """
    try:
        answer = worker.request(
            "stages",
            {
                "set": input_set,
                "ns": _scaled(STAGE_NS, settings),
                "transfer_ns": _scaled(TRANSFER_NS, settings),
                "processing": processing.request() if processing else None,
            },
            deadline_s=settings.deadline_s,
            phase="stages",
        ).head
    except WorkerFailure as failure:
        if failure.status != "failed":
            raise
        return StagePass(
            pipeline=processing.name if processing else "",
            stages=tuple(StageTimes(stage=stage, reason=failure.message) for stage in _STAGES),
        )
    return StagePass(
        pipeline=processing.name if processing else "",
        items=tuple(answer["items"]),
        end_to_end_ns=tuple(answer["end_to_end"]),
        stages=tuple(_stage(stage, answer, separate) for stage in _STAGES),
        transfers=tuple(
            TransferTimes(
                direction=entry["direction"],
                path=entry["path"],
                bytes=entry["bytes"],
                calls_per_sample=entry["calls"],
                samples_ns=tuple(entry["samples"]),
                device_ns=tuple(entry["device"]),
                reason=entry["reason"],
            )
            for entry in answer["transfers"]
        ),
        problems=tuple(answer["dropped"]),
    )


def _stage(stage: StageName, answer: Mapping[str, Any], separate: Mapping[str, str]) -> StageTimes:
    reason = answer["problems"].get(stage, "") or separate.get(stage, "")
    if stage in ("upload", "download") and not answer[f"{stage}_path"] and not reason:
        reason = "the adapter does not separate it"
    if reason:
        return StageTimes(stage=stage, reason=reason)
    return StageTimes(
        stage=stage,
        samples_ns=tuple(answer["split"][stage]),
        device_ns=tuple(answer["device"].get(stage, ())),
        path=answer.get(f"{stage}_path", ""),
        implementation=answer["implementation"].get(stage, ""),
    )


def fresh_pass(
    worker: Worker, input_set: str, trial: int, sample_s: float, settings: Settings
) -> tuple[FreshPass, dict[str, Array], float | None]:
    """Calls on inputs never seen, in a thawed worker: their times, the outputs of the held-back inputs, and the drift.

    The drift is the largest relative difference between two calls on the same inputs. An error that the worker survives
    is the reason why there are no such calls. Raises WorkerFailure when the worker is gone.
    """
    asked = {
        "set": input_set,
        "first": FIRST_TURN + trial * TURNS,
        "fewest": fresh_pairs(trial, sample_s, settings),
        "ns": _scaled(FRESH_NS, settings),
    }
    try:
        reply = worker.request("fresh", asked, deadline_s=settings.deadline_s, phase="fresh inputs")
    except WorkerFailure as failure:
        if failure.status != "failed":
            raise
        return FreshPass(reason=failure.message), {}, None
    answer = reply.head
    if answer["reason"]:
        return FreshPass(reason=answer["reason"]), {}, None
    made = FreshPass(
        by=answer["by"],
        fresh_ns=tuple(answer["fresh"]),
        repeated_ns=tuple(answer["repeated"]),
        download_ns=tuple(answer["download"]),
        download_again_ns=tuple(answer["download_again"]),
    )
    return made, unpack(reply.fds[0], answer["layout"]), answer["drift"]


def resource_pass(worker: Worker, input_set: str, settings: Settings) -> ResourcePass:
    """Count what calls cost in a worker that is frozen and is left thawed. Raises WorkerFailure."""
    reasons: dict[str, str] = {}
    steady = memory_of(worker.pid)
    if steady.reason:
        reasons["memory_steady"] = steady.reason
    worker.thaw()
    meter = EnergyMeter()
    meter.start()
    used = worker.request(
        "usage",
        {"set": input_set, "ns": _scaled(USAGE_NS, settings)},
        deadline_s=settings.deadline_s,
        phase="resources",
    ).head
    energy = meter.stop()
    reasons |= {f"energy {name}": reason for name, reason in energy.reasons.items()}
    busy = _watched(worker, input_set, settings)
    if busy.reason:
        reasons["memory_busy"] = busy.reason
    on_device = device_memory_of(worker.pid)
    if on_device.reason:
        reasons["device_memory"] = on_device.reason
    return ResourcePass(
        **used,
        memory_steady=steady.value.total if steady.value else None,
        memory_steady_kind=steady.value.kind if steady.value else "",
        memory_busy=busy.value.total if busy.value else None,
        device_memory=on_device.value.total if on_device.value else None,
        joules=dict(energy.joules),
        reasons=reasons,
    )


def without_device(resources: ResourcePass, effective: Mapping[str, Any]) -> ResourcePass:
    """For an engine that says that it runs on the CPU, that is the reason why it has no device memory."""
    if resources.device_memory is not None or not str(effective.get("device", "")).lower().startswith("cpu"):
        return resources
    reasons = {**resources.reasons, "device_memory": "it runs on the CPU"}
    return resources.model_copy(update={"reasons": reasons})


def _scaled(ns: int, settings: Settings) -> int:
    return int(ns * pass_scale(settings))


def _watched(worker: Worker, input_set: str, settings: Settings) -> Reading[MemoryUse]:
    """The largest memory seen while calls run; reading it holds the worker up, hence calls of its own."""
    seen: list[Reading[MemoryUse]] = []
    worker.request(
        "usage",
        {"set": input_set, "ns": max(_scaled(WATCH_NS, settings), SHORTEST_WATCH_NS)},
        deadline_s=settings.deadline_s,
        phase="resources",
        while_waiting=lambda: seen.append(memory_of(worker.pid)),
        every_s=WATCH_EVERY_S,
    )
    found = [reading for reading in seen if reading.value is not None]
    if not found:
        return seen[-1] if seen else Reading(None, "the calls were over before it could be read")
    return max(found, key=lambda reading: reading.value.total if reading.value else 0)
