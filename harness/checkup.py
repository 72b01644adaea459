"""What `harness doctor` finds: the machine, its software, its engines, a second of its life, and advice."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from harness.engine_status import EngineStatus
from harness.environment.machine import machine
from harness.environment.pressure import PressureDelta, between, snapshot
from harness.environment.software import environment
from harness.errors import ExitCode
from harness.judge.doubts import noise as noise_doubts
from harness.judge.doubts.gather import doubts_of_run
from harness.judge.noise import NoiseFigures, judge_noise
from harness.records import Environment, Machine, Warning_
from harness.records.noise import NoiseSamples
from harness.run.engines import probe_all
from harness.run.noise import measure_noise
from harness.run.observer import Observer
from harness.run.worker import WorkerFailure

REFERENCE = "torch"


@dataclass(frozen=True)
class Checkup:
    """Everything that the doctor looked at. `warnings` is what will disturb measurements, with advice."""

    machine: Machine
    environment: Environment
    engines: tuple[EngineStatus, ...]
    pressure: PressureDelta
    """Of a stretch of time in which nothing of ours ran."""
    warnings: tuple[Warning_, ...]
    noise: Noise | None = None


@dataclass(frozen=True)
class Noise:
    """What `--noise` measured and what it means. `figures` is None when no process could run: `reason` says why."""

    samples: NoiseSamples | None
    figures: NoiseFigures | None
    warnings: tuple[Warning_, ...] = ()
    reason: str = ""


def listen(here: Machine, seconds: float, observer: Observer) -> Noise:
    """Measure the machine's noise for `seconds` and judge it."""
    try:
        samples = measure_noise(seconds, observer)
        figures = judge_noise(samples)
    except (WorkerFailure, ValueError) as failure:
        return Noise(None, None, reason=f"the noise could not be measured: {failure}")
    found = (*noise_doubts.doubts(figures, samples.clock), *doubts_of_run(samples.pressure, here))
    return Noise(samples, figures, found)


def with_noise(found: Checkup, noise: Noise) -> Checkup:
    """The checkup with its noise; advice that both have is kept once, with the figures of the longer watch."""
    longer = {warning.code for warning in noise.warnings}
    kept = tuple(warning for warning in found.warnings if warning.code not in longer)
    return replace(found, noise=noise, warnings=(*kept, *noise.warnings))


def check(command: Sequence[str], watch_s: float) -> Checkup:
    """Look at everything; takes as long as the engines need to start, and `watch_s` seconds."""
    here, software, engines = machine(), environment(command), tuple(probe_all())
    pressure = watch(watch_s)
    return Checkup(here, software, engines, pressure, advise(here, software, engines, pressure))


def watch(seconds: float) -> PressureDelta:
    """What happens on the machine while we sleep."""
    before, cpu_before = snapshot(), time.process_time()
    time.sleep(seconds)
    return between(before, snapshot(), time.process_time() - cpu_before)


def advise(
    here: Machine, software: Environment, engines: Sequence[EngineStatus], pressure: PressureDelta
) -> tuple[Warning_, ...]:
    """Whatever will spoil or prevent measurements, each with what to do about it."""
    found: list[Warning_] = []
    available = {engine.name for engine in engines if engine.available}
    installs = {engine.name: engine.install for engine in engines}
    if not usable(engines):
        found.append(
            Warning_(
                code="no_engine",
                message="No inference engine can run here.",
                consequence="Nothing can be measured.",
                advice="Install at least one; the list of engines says how.",
            )
        )
    if REFERENCE not in available:
        install = installs.get(REFERENCE)
        found.append(
            Warning_(
                code="no_reference",
                message="PyTorch, the reference, cannot run here.",
                consequence="Built-in models cannot be made, and parity of ONNX files needs the slower evaluator.",
                advice=f"Install it: {install}" if install else "Install PyTorch.",
            )
        )
    if here.cores_logical is not None and here.cores_usable < here.cores_logical:
        found.append(
            Warning_(
                code="cores_limited",
                message=f"Only {here.cores_usable} of {here.cores_logical} CPUs may be used.",
                figure=float(here.cores_usable),
                consequence="Engines that count the machine's CPUs by themselves start too many threads.",
                advice=f"Measure with at most `--threads {here.cores_usable}` (the default), or lift the limit.",
            )
        )
    if software.variables:
        found.append(
            Warning_(
                code="engine_variables",
                message=f"Environment variables that engines read are set: {', '.join(software.variables)}.",
                figure=float(len(software.variables)),
                consequence="They may change threads, precision or memory of some engines and not of others.",
                advice="Unset those that are not meant; all are kept with every result.",
            )
        )
    return (*found, *doubts_of_run(pressure, here))


def usable(engines: Sequence[EngineStatus]) -> list[EngineStatus]:
    """Engines that can run here. The fake one computes nothing worth measuring and does not count."""
    return [engine for engine in engines if engine.available and engine.name != "fake"]


def exit_code(found: Checkup) -> ExitCode:
    """Fine when at least one engine can run."""
    return ExitCode.OK if usable(found.engines) else ExitCode.NOTHING_MEASURED


def to_json(found: Checkup) -> str:
    """The checkup as a JSON document. Shares are 0 to 1; null is what could not be read."""
    shares = {
        "steal_share": found.pressure.steal_share,
        "competing_share": found.pressure.competing_share,
    }
    document = {
        "schema_version": 1,
        "kind": "doctor",
        "machine": found.machine.model_dump(mode="json"),
        "environment": found.environment.model_dump(mode="json"),
        "engines": [asdict(engine) for engine in found.engines],
        "pressure": asdict(found.pressure) | shares,
        "noise": None if found.noise is None else _noise_document(found.noise),
        "warnings": [warning.model_dump(mode="json") for warning in found.warnings],
        "exit_code": int(exit_code(found)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _noise_document(noise: Noise) -> dict[str, object]:
    return {
        "reason": noise.reason,
        "figures": None if noise.figures is None else asdict(noise.figures),
        "samples": None if noise.samples is None else asdict(noise.samples),
    }
