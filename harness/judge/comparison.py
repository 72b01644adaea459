"""What judging a group of results gives: estimates with intervals, and a verdict for every pair.

These are derived from `harness.records.Result` alone and can be computed again from it at any time.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.judge.estimate import NOT_MEASURED as NOT_MEASURED
from harness.judge.estimate import Estimate as Estimate
from harness.judge.work_done import WorkStatus
from harness.records import ParityStatus, Record, Status, Warning_

SpeedVerdict = Literal["faster", "slower", "same", "unsettled", "unknown"]


class ContenderSummary(Record):
    """One contender's figures, ready to be shown. Latencies are seconds a call."""

    result_id: str
    contender: str
    status: Status
    reason: str = ""
    engine_version: str = ""
    p50: Estimate
    p90: Estimate
    p99: Estimate
    throughput: Estimate
    """Inferences (items, not calls) per second, one call after the other: batch / mean latency."""
    first_inference: Estimate
    load: Estimate
    build: Estimate
    warmup: Estimate
    """Seconds from the first call to the first steady one."""
    memory_peak: Estimate
    artefact: Estimate
    ceiling_share: Estimate = NOT_MEASURED
    """Least time that this machine needs for the model's work, over the median latency."""
    end_to_end: Estimate = NOT_MEASURED
    """Median of whole calls: from encoded items to answers where the model has such steps, else with its copies."""
    preprocess: Estimate = NOT_MEASURED
    upload: Estimate = NOT_MEASURED
    infer: Estimate = NOT_MEASURED
    """The same call as the latency, in the stage pass."""
    download: Estimate = NOT_MEASURED
    postprocess: Estimate = NOT_MEASURED
    load_cold: Estimate = NOT_MEASURED
    """Import and load with the model's files out of memory."""
    build_warm: Estimate = NOT_MEASURED
    """A second build, with whatever the first left in caches."""
    memory_steady: Estimate = NOT_MEASURED
    """Proportional set size after warm-up."""
    device_memory: Estimate = NOT_MEASURED
    cpu: Estimate = NOT_MEASURED
    """CPU seconds per inference, over all threads."""
    switches: Estimate = NOT_MEASURED
    """Context switches per inference."""
    energy: Estimate = NOT_MEASURED
    """Gross joules per inference: everything that ran on the packages and GPUs, idle power included."""
    parity: ParityStatus
    parity_ratio: float | None = None
    """Worst error of any output and input set, in units of the yardstick's own (root mean square)."""
    parity_where: str = ""
    """Where the worst error is, or why there is no verdict."""
    fresh_ratio: Estimate = NOT_MEASURED
    """Time of a call on inputs never seen over that of a call on the same inputs again."""
    work: WorkStatus = "unknown"
    """Whether a timed call does the work of an inference; "doubt" is told, "fail" is no inference."""
    work_words: str = ""
    warnings: tuple[Warning_, ...] = ()

    @property
    def sound(self) -> bool:
        """Known to compute the right thing, by calls that are not known to leave the work out."""
        return self.parity == "pass" and self.work != "fail"


class PairVerdict(Record):
    """Latency of `a` divided by latency of `b`: above 1, `a` is slower. Evidence for `verdict`."""

    a: str
    b: str
    ratio: Estimate
    decision_low: float | None = None
    """Ends of the interval that decides: widened for the number of pairs compared at once (Bonferroni)."""
    decision_high: float | None = None
    decision_confidence: float = 0.95
    margin: float
    verdict: SpeedVerdict
    words: str
    """The verdict as a sentence, with its figures."""
    against: str = ""
    """Why no win counts, where a side is wrong, not known to be right, or leaves the work out; shown with `words`."""
    advice: str = ""
    """What would settle an unsettled verdict."""
    rounds: int = 0


class Group(Record):
    """The judged results of one group: one model, one variant, one scenario."""

    group_id: str
    title: str
    """What was measured, in words: model, batch, sizes of dynamic dimensions, threads, an unusual scenario."""
    model: str
    batch: int
    dims: dict[str, int] = Field(default_factory=dict)
    """Sizes of named dynamic dimensions."""
    threads: int
    scenario: str
    contenders: tuple[ContenderSummary, ...]
    pairs: tuple[PairVerdict, ...]
    headline: str
    """The answer in one or two sentences."""
    warnings: tuple[Warning_, ...] = ()
