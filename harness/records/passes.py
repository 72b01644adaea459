"""Records of the passes at the end of a trial: stages of calls, and what calls cost beside time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.records.base import Record

StageName = Literal["preprocess", "upload", "infer", "download", "postprocess"]
TransferPath = Literal["zero_copy", "copy", "pinned", "pageable"]


class StageTimes(Record):
    """One stage of the split calls of a stage pass; either samples or the reason why there are none."""

    stage: StageName
    samples_ns: tuple[int, ...] = Field(
        (), description="on the host, the device waited for; one value a call"
    )
    device_ns: tuple[int, ...] = Field((), description="by the device's own events, in calls of their own")
    path: str = Field("", description="how an upload or download was done: zero_copy, copy, pinned, pageable")
    implementation: str = Field("", description="what did the pre- or post-processing, with version")
    reason: str = ""


class TransferTimes(Record):
    """One way of bringing inputs in or outputs out, timed alone."""

    direction: Literal["upload", "download"]
    path: TransferPath
    bytes: int = Field(description="carried by one transfer; by zero_copy they are handed over, not moved")
    calls_per_sample: int = 1
    samples_ns: tuple[int, ...] = ()
    device_ns: tuple[int, ...] = Field((), description="of single transfers, by the device's own events")
    reason: str = ""


class StagePass(Record):
    """A pass of its own in a trial: whole calls, and calls with a clock between their stages, in turn."""

    pipeline: str = Field("", description="name of the pre- and post-processing, empty without any")
    items: tuple[str, ...] = Field((), description="files that were fed in, in turn")
    end_to_end_ns: tuple[int, ...] = Field(
        (), description="whole calls: all stages, no clock in between, nothing waited for but the answer"
    )
    stages: tuple[StageTimes, ...] = ()
    transfers: tuple[TransferTimes, ...] = ()
    problems: tuple[str, ...] = Field((), description="items that were left out, and why")


class ResourcePass(Record):
    """A pass of its own in a trial: what calls cost beside time. None: could not be read, `reasons` says why."""

    calls: int = Field(description="calls in which CPU time, switches and energy were counted")
    wall_ns: int
    user_s: float
    system_s: float
    voluntary_switches: int
    involuntary_switches: int
    minor_faults: int
    major_faults: int
    memory_steady: int | None = Field(None, description="proportional set size while frozen after warm-up")
    memory_steady_kind: str = Field("", description="pss, or rss where the system tells no proportional size")
    memory_busy: int | None = Field(None, description="largest proportional set size seen while calls ran")
    device_memory: int | None = Field(None, description="bytes of this process on all GPUs")
    joules: dict[str, float] = Field(
        default_factory=dict,
        description="domain -> gross energy of the counted calls, everything that ran included",
    )
    reasons: dict[str, str] = Field(
        default_factory=dict, description="figure -> why it is missing or how it was read"
    )


class FreshPass(Record):
    """Pairs of a call on inputs never seen and a call on the same inputs again; one value of each a pair."""

    by: Literal["upload", "prepare", ""] = Field("", description="how inputs were brought in, untimed")
    fresh_ns: tuple[int, ...] = ()
    repeated_ns: tuple[int, ...] = ()
    download_ns: tuple[int, ...] = Field((), description="reading the outputs right after a fresh call")
    download_again_ns: tuple[int, ...] = Field((), description="reading the same outputs once more")
    reason: str = Field("", description="why there are no such calls")


class NumberCount(Record):
    """How many floating-point numbers are subnormal: smaller than the smallest normal one, and not zero."""

    subnormal: int | None = Field(None, description="None: could not be counted, `reason` says why")
    total: int = 0
    reason: str = ""
