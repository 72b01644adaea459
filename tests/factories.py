"""Records for tests: complete, plausible, and different wherever two fields could be mixed up."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from harness.records import (
    ArtefactRef,
    Case,
    ContenderRef,
    Environment,
    Failure,
    Gpu,
    Machine,
    Memory,
    ModelRef,
    OutputParity,
    Parity,
    ParityStatus,
    Result,
    Round,
    Run,
    Settings,
    Tensor,
    Trial,
    VariantRef,
    Warning_,
)

START = datetime(2026, 11, 3, 4, 5, 6, 789012, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """A moment on the day when all factories begin."""
    return START + timedelta(minutes=minutes)


def make_machine(**overrides: Any) -> Machine:
    """A two-core virtual machine."""
    fields: dict[str, Any] = {
        "id": "m-0123456789ab",
        "hostname": "bench-1",
        "system": "Linux",
        "kernel": "6.1.0",
        "cpu": "Some CPU @ 2.70GHz",
        "architecture": "x86_64",
        "cores_physical": 1,
        "cores_logical": 2,
        "cores_usable": 2,
        "cpu_flags": ("avx2", "avx512f"),
        "caches": {"L1d": "48K", "L3": "260M"},
        "memory": 8 * 2**30,
        "frequency_mhz": 2693.671,
        "virtualisation": "kvm",
        "gpus": (Gpu(name="Some GPU", memory=16 * 2**30, driver="580.1"),),
    }
    return Machine(**{**fields, **overrides})


def make_environment(**overrides: Any) -> Environment:
    """A clean checkout with two engines."""
    fields: dict[str, Any] = {
        "python": "3.11.9",
        "harness": "0.1.0",
        "packages": {"numpy": "2.3.5", "onnxruntime": "1.31.0"},
        "commit": "8d1f5c0e6a1b4f0c9e2d7a3b5c6d7e8f90a1b2c3",
        "branch": "main",
        "dirty": False,
        "command": ("harness", "compare", "ort", "openvino"),
        "variables": {"OMP_NUM_THREADS": "2"},
    }
    return Environment(**{**fields, **overrides})


def make_run(**overrides: Any) -> Run:
    """A comparison that began at START."""
    fields: dict[str, Any] = {
        "name": "compare resnet50",
        "kind": "compare",
        "plan_key": "plan-1",
        "started_at": START,
        "user": "someone",
        "machine": make_machine(),
        "environment": make_environment(),
        "settings": Settings(),
    }
    return Run(**{**fields, **overrides})


def make_model(**overrides: Any) -> ModelRef:
    """A reference to the built-in resnet50."""
    fields: dict[str, Any] = {
        "name": "resnet50",
        "source": "builtin",
        "sha256": "ab" * 32,
        "inputs": (Tensor(name="input", dtype="float32", shape=("batch", 3, 224, 224)),),
        "outputs": (Tensor(name="logits", dtype="float32", shape=("batch", 1000)),),
        "parameters": 25_557_032,
        "macs": 4_089_284_608,
    }
    return ModelRef(**{**fields, **overrides})


def make_case(
    contender: str = "ort", *, model: str = "resnet50", batch: int = 1, threads: int = 2, **overrides: Any
) -> Case:
    """A case; `contender` is a canonical text whose backend is what stands before the first sign."""
    backend = contender.split("@")[0].split(":")[0].split("?")[0].split("#")[0]
    precision = contender.partition("@")[2] or "fp32"
    fields: dict[str, Any] = {
        "model": make_model(name=model),
        "contender": ContenderRef(text=contender, backend=backend, precision=precision),
        "variant": VariantRef(batch=batch, threads=threads),
        "key": f"{model} | {contender} | batch {batch} | threads {threads} | single_stream",
    }
    return Case(**{**fields, **overrides})


def make_trials(
    count: int = 2, *, rounds: int = 3, samples: int = 5, median_ns: int = 1_000_000, seed: int = 0
):
    """Trials of seeded samples around `median_ns`, each with a warm-up that falls towards it."""
    noise = random.Random(seed)

    def times(n: int, start: float = 1.0) -> tuple[int, ...]:
        return tuple(int(median_ns * (1 + (start - 1) / (i + 1)) * noise.gauss(1, 0.02)) for i in range(n))

    return tuple(
        Trial(
            index=index,
            import_ns=200_000_000 + index,
            load_ns=50_000_000 + index,
            first_inference_ns=9_000_000 + index,
            warmup_ns=times(8, start=6.0),
            steady_from=4 if index % 2 == 0 else None,
            rounds=tuple(
                Round(
                    index=r,
                    position=r % 2,
                    input_set="normal:0",
                    calls_per_sample=3,
                    samples_ns=times(samples),
                    canary_ns=5_000_000 + r,
                    cpu_s=0.25,
                    steal_s=0.0,
                )
                for r in range(rounds)
            ),
            memory_before_engine=40_000_000,
            memory_after_load=180_000_000,
            memory_peak=210_000_000 + index,
        )
        for index in range(count)
    )


def make_parity(status: ParityStatus = "pass") -> Parity:
    """Parity of one output on one input set."""
    output = OutputParity(
        output="logits",
        input_set="normal:0",
        status=status,
        error_rms=3.1e-7,
        error_max=2.2e-6,
        yardstick_rms=2.9e-7,
        yardstick_max=2.0e-6,
        ratio_rms=1.07,
        ratio_max=1.1,
        budget_rms=10.0,
        budget_max=20.0,
        worst_index=(0, 17),
        cosine=0.9999999,
        top1_agreement=1.0,
    )
    return Parity(
        status=status, reference="torch 2.13.0 float64", yardstick="torch 2.13.0 float32", outputs=(output,)
    )


def make_result(contender: str = "ort", **overrides: Any) -> Result:
    """A measured result of resnet50.

    Beside the record's own fields it takes `model` (a name), `batch` and `threads` for the case, and `run`, whose
    id, machine, environment and settings the result gets.
    """
    run: Run = overrides.pop("run", None) or make_run()
    case_words = {name: overrides.pop(name) for name in ("model", "batch", "threads") if name in overrides}
    fields: dict[str, Any] = {
        "run_id": run.id,
        "group_id": "group-1",
        "created_at": at(10),
        "case": make_case(contender, **case_words),
        "status": "measured",
        "settings": run.settings,
        "machine": run.machine,
        "environment": run.environment,
        "engine_version": "1.31.0",
        "effective": {
            "intra_op_num_threads": 2,
            "providers": ["CPUExecutionProvider"],
            "nested": {"a": None},
        },
        "inputs_sha256": {"normal:0": "cd" * 32},
        "artefact": ArtefactRef(bytes=102_400_000, note="model.onnx", build_ns=0),
        "memory": Memory(before_engine=40_000_000, after_load=180_000_000, peak=210_000_001),
        "trials": make_trials(),
        "stop_reason": "the interval is narrow enough",
        "parity": make_parity(),
        "warnings": (Warning_(code="steal", message="2 % of the time was stolen", figure=0.02),),
    }
    return Result(**{**fields, **overrides})


def make_failure(contender: str = "openvino", **overrides: Any) -> Result:
    """A result of a worker that crashed: no samples, no parity."""
    failure = Failure(
        phase="load",
        kind="crashed",
        message="the worker died of SIGSEGV",
        exit_signal="SIGSEGV",
        stderr_tail="line 1\nline 2\x00 \u2028 \N{SNOWMAN}",
    )
    fields: dict[str, Any] = {
        "status": "crashed",
        "failure": failure,
        "trials": (),
        "parity": None,
        "memory": None,
        "artefact": None,
        "engine_version": "",
    }
    return make_result(contender, **{**fields, **overrides})
