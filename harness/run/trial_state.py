"""What one trial gathers while it runs, and the record of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backends.contract import Array
from harness.records import FreshPass, NumberCount, ResourcePass, Round, StagePass, Trial
from suites.subnormals import Subnormals, count_all


@dataclass
class TrialState:
    """What one trial has gathered so far; `finish` makes the immutable record of it."""

    index: int
    before_engine: int | None = None
    import_ns: int = 0
    load_ns: int = 0
    first_ns: int = 0
    warmup_ns: list[int] = field(default_factory=list)
    steady: int | None = None
    after_load: int | None = None
    calls_per_sample: int = 1
    rounds: list[Round] = field(default_factory=list)
    drift: float | None = None
    file_cache: Literal["cold", "warm", "unknown"] = "unknown"
    build_ns: int | None = None
    stages: StagePass | None = None
    resources: ResourcePass | None = None
    fresh: FreshPass | None = None
    outputs: dict[str, dict[str, Array]] = field(default_factory=dict)

    @property
    def sample_s(self) -> float:
        """Seconds a sample takes, from the end of the warm-up."""
        tail = sorted(self.warmup_ns[-9:])
        return tail[len(tail) // 2] * 1e-9 * self.calls_per_sample

    def saw_drift(self, drift: float | None) -> None:
        """Keep the largest difference; None: nothing was compared."""
        if drift is not None:
            self.drift = drift if self.drift is None else max(self.drift, drift)

    def finish(self, peak: int | None) -> Trial:
        """The record of this trial."""
        return Trial(
            index=self.index,
            import_ns=self.import_ns,
            load_ns=self.load_ns,
            first_inference_ns=self.first_ns,
            warmup_ns=tuple(self.warmup_ns),
            steady_from=self.steady,
            rounds=tuple(self.rounds),
            memory_before_engine=self.before_engine,
            memory_after_load=self.after_load,
            memory_peak=peak,
            timed_drift=self.drift,
            file_cache=self.file_cache,
            build_ns=self.build_ns,
            stages=self.stages,
            resources=self.resources,
            fresh=self.fresh,
            output_numbers=_count(self.outputs) if self.outputs else None,
        )


def _count(outputs: Mapping[str, Mapping[str, Array]]) -> NumberCount:
    found = sum((count_all(arrays) for arrays in outputs.values()), Subnormals())
    return NumberCount(subnormal=found.subnormal, total=found.total)
