"""The result record: immutable, versioned, and complete enough to repeat the measurement from it alone.

Measuring writes these; storing, judging and showing re-read them. Nothing derived (a mean, a verdict) is kept
where the raw samples are. Times are integers in nanoseconds unless a name ends in `_s`; sizes are bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from harness.records.base import PossiblyInfinite as PossiblyInfinite
from harness.records.base import Record as Record
from harness.records.base import Warning_ as Warning_
from harness.records.base import new_id as new_id
from harness.records.base import now as now
from harness.records.machine import Environment as Environment
from harness.records.machine import Gpu as Gpu
from harness.records.machine import Machine as Machine
from harness.records.parity import OutputParity as OutputParity
from harness.records.parity import Parity as Parity
from harness.records.parity import ParityStatus as ParityStatus
from harness.records.parity import ReferenceStrength as ReferenceStrength
from harness.records.parity import SelfAgreement as SelfAgreement
from harness.records.passes import FreshPass as FreshPass
from harness.records.passes import NumberCount as NumberCount
from harness.records.passes import ResourcePass as ResourcePass
from harness.records.passes import StageName as StageName
from harness.records.passes import StagePass as StagePass
from harness.records.passes import StageTimes as StageTimes
from harness.records.passes import TransferTimes as TransferTimes
from harness.records.work import Ceilings, Work

SCHEMA_VERSION = 1

Status = Literal[
    "measured",  # samples are there; whether the outputs are right is `parity`
    "unavailable",  # the engine, its version or its device is not here
    "unsupported",  # the engine is here but cannot run this model or variant
    "failed",  # the adapter raised in `failure.phase`
    "crashed",  # the worker died from a signal or left without answering
    "timeout",  # a step did not end before its deadline
    "out_of_memory",
    "interrupted",  # stopped by the user; samples may be there, but fewer than planned
]


class Tensor(Record):
    """A named tensor of a signature; a str dimension is dynamic."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


class ModelRef(Record):
    """Which model: `source` is "builtin" or "onnx"; `sha256` is of the ONNX file or the weights."""

    name: str
    source: Literal["builtin", "onnx"]
    sha256: str
    path: str | None = Field(None, description="where the ONNX file was, for a model given by path")
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: int | None = None
    macs: int | None = Field(None, description="multiply-accumulate operations of one inference at batch 1")


class ContenderRef(Record):
    """One side of a comparison; `text` is how the user wrote it, in canonical form."""

    text: str
    backend: str
    flavour: str = ""
    precision: str = "fp32"
    version: str = Field("", description="engine version asked for; empty for the one installed")
    options: dict[str, str] = Field(default_factory=dict)


class VariantRef(Record):
    """What is varied beside the contender."""

    batch: int = 1
    threads: int = 1
    dims: dict[str, int] = Field(default_factory=dict, description="sizes of named dynamic dimensions")


class Load(Record):
    """How many requests a closed loop keeps in flight, and how."""

    concurrency: int = Field(description="requests in flight in each instance")
    way: Literal["threads", "queue"] = Field(
        "threads", description="threads: each request blocks one; queue: the engine's own queue"
    )
    instances: int = Field(1, description="worker processes that load the model each and run together")
    pipeline: str = Field(
        "", description="requests go from encoded items to answers with this pipeline; empty: inference alone"
    )


class Case(Record):
    """Model × contender × variant × scenario: the unit of work and of failure."""

    model: ModelRef
    contender: ContenderRef
    variant: VariantRef
    scenario: str = "single_stream"
    load: Load | None = Field(None, description="of a closed loop; None: one call after the other")
    key: str = Field(description="stable identity of the case over time: a series is one key on one machine")


class Settings(Record):
    """How it was measured and will be judged."""

    margin: float = Field(0.02, description="differences below this share count as the same")
    confidence: float = 0.95
    target_ci: float = Field(0.01, description="stop when the ratio's interval is within ± this share")
    budget_s: float = 50.0
    extension_s: float = Field(
        50.0, description="seconds added to the budget when a ratio is not known to within ±5 % by its end"
    )
    min_trials: int = Field(4, description="trials before a narrow interval may end the measurement early")
    max_trials: int = 12
    rounds_per_trial: int = Field(20, description="most rounds in one trial")
    block_s: float = Field(0.25, description="length of one block")
    warmup_max_s: float = 10.0
    deadline_s: float = 120.0
    memory_limit: int | None = None
    seed: int = 0
    input_sets: tuple[str, ...] = ("normal:0", "normal:1", "uniform:0")
    stage_trials: int = Field(4, description="trials that also time the stages of a call and count resources")


class Failure(Record):
    """Why a case has no result: which phase, what the engine said, what the worker left behind."""

    phase: str
    kind: str
    message: str
    hint: str = ""
    exit_signal: str = ""
    stderr_tail: str = ""
    traceback: str = ""


class Window(Record):
    """What a closed loop adds to a round, whose samples are the latencies of its requests in order of completion."""

    window_ns: int = Field(description="length; requests that ended outside it do not count")
    ends_ns: tuple[int, ...] = Field(description="end of every request since the window's begin")
    ceiling_per_s: float | None = Field(None, description="requests that the loop itself can turn over")
    memory: int | None = Field(None, description="proportional set size right after it, all instances")


class Round(Record):
    """One block of one contender in one round. Values are per sample, not per call."""

    index: int
    position: int = Field(description="place in this round's random order, from 0")
    input_set: str
    calls_per_sample: int = 1
    samples_ns: tuple[int, ...]
    canary_ns: int | None = Field(None, description="the canary's time in this round")
    cpu_s: float | None = Field(None, description="CPU seconds of the worker's process in the block")
    steal_s: float | None = Field(None, description="seconds stolen by the hypervisor during the block")
    window: Window | None = Field(None, description="of a closed loop")


class Trial(Record):
    """One life of a worker process."""

    index: int
    import_ns: int
    load_ns: int
    first_inference_ns: int
    warmup_ns: tuple[int, ...] = Field(description="the warm-up curve: one value a call, first call included")
    steady_from: int | None = Field(description="index into warmup_ns; None: never steady")
    rounds: tuple[Round, ...]
    memory_before_engine: int | None = Field(
        None, description="resident bytes before the engine was imported"
    )
    memory_after_load: int | None = None
    memory_peak: int | None = Field(None, description="largest resident size of the worker process")
    timed_drift: PossiblyInfinite | None = Field(
        None, description="largest relative difference of a timed call's outputs from the checked ones"
    )
    file_cache: Literal["cold", "warm", "unknown"] = Field(
        "unknown",
        description="cold: the model's files were not in memory when they were built from and loaded",
    )
    build_ns: int | None = Field(None, description="time of this trial's own build, where it built")
    stages: StagePass | None = None
    resources: ResourcePass | None = None
    fresh: FreshPass | None = Field(
        None, description="whether a call does its work again on inputs it has seen"
    )
    output_numbers: NumberCount | None = Field(None, description="of the outputs that were checked")


class Memory(Record):
    """Largest figures over the trials, bytes."""

    before_engine: int | None = None
    after_load: int | None = None
    peak: int | None = None


class Signature(Record):
    """Inputs and outputs as the engine has them after conversion."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class ArtefactRef(Record):
    """What *build* left: size in bytes, and what the size is of."""

    bytes: int | None
    note: str = ""
    build_ns: int | None = Field(
        None, description="of the first build, without any cache; None where the engine has no build step"
    )


class Bounds(Record):
    """What a point of a closed loop must keep to be called the best."""

    max_latency_s: float | None = None
    latency_metric: Literal["p50", "p90", "p99"] = "p99"
    max_memory: int | None = Field(None, description="bytes, proportional set size of all instances")


class Run(Record):
    """One execution of a suite or comparison: who, when, where, which commit."""

    id: str = Field(default_factory=new_id)
    name: str
    kind: Literal["compare", "suite", "throughput", "parity", "conformance"]
    plan_key: str = Field(description="hash of cases and settings: the same command has the same key")
    started_at: datetime = Field(default_factory=now)
    user: str = ""
    machine: Machine
    environment: Environment
    settings: Settings
    gates: tuple[dict[str, Any], ...] = Field(
        (), description="gates of the suite, as `harness.judge.gate_types` reads them"
    )
    bounds: Bounds | None = Field(None, description="of a search for the best throughput")


class Result(Record):
    """What one case gave."""

    schema_version: Literal[1] = 1
    id: str = Field(default_factory=new_id)
    run_id: str
    group_id: str = Field(
        description="results of one group were measured in the same rounds and can be paired"
    )
    created_at: datetime = Field(default_factory=now)
    case: Case
    status: Status
    settings: Settings
    machine: Machine
    environment: Environment
    engine_version: str = ""
    effective: dict[str, Any] = Field(
        default_factory=dict, description="configuration read back from the engine"
    )
    inputs_sha256: dict[str, str] = Field(default_factory=dict, description="input set -> hash of its bytes")
    signature: Signature | None = None
    artefact: ArtefactRef | None = None
    work: Work | None = Field(None, description="operations and bytes of one call, counted from the model")
    work_problem: str = Field("", description="why the work could not be counted")
    ceilings: Ceilings | None = Field(
        None, description="what the machine could do at best at this precision and number of threads"
    )
    weight_numbers: NumberCount | None = Field(None, description="of the model's constants")
    memory: Memory | None = None
    trials: tuple[Trial, ...] = ()
    stop_reason: str = ""
    parity: Parity | None = None
    failure: Failure | None = None
    warnings: tuple[Warning_, ...] = ()
