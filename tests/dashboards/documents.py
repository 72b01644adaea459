"""Comparison documents for the tests: seeded, plausible, and with everything that can go wrong in one of them."""

from __future__ import annotations

import random
from typing import Any

from harness.judge.document import ComparisonDocument
from harness.judge.judging import judge_group
from harness.records import (
    ArtefactRef,
    Failure,
    Memory,
    OutputParity,
    Parity,
    ParityStatus,
    Result,
    Round,
    Trial,
    Warning_,
)
from tests.factories import make_case, make_environment, make_machine, make_result, make_run

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "\"quotes\" & 'apostrophes' </script><img src=x onerror=alert(2)>",
    "🚀 {{ 7 * 7 }} ${8 * 8} {% raise %}",
    "محرك الاستدلال",
    "long-" * 60,
)


def trials(
    median_ms: float, *, count: int = 4, rounds: int = 6, samples: int = 20, seed: int = 0, calls: int = 1
) -> tuple[Trial, ...]:
    """Trials whose processes differ a little, with a tail, a warm-up, and a machine that slows in the middle."""
    noise = random.Random(seed)
    machine = random.Random(7)
    made = []
    for index in range(count):
        level = median_ms * noise.gauss(1, 0.012)
        blocks = []
        for place in range(rounds):
            slow = 1.12 if index == count // 2 and place >= rounds // 2 else 1.0
            slow *= machine.gauss(1, 0.01)
            values = [
                level
                * slow
                * (noise.gauss(1, 0.015) + (noise.expovariate(6) if noise.random() < 0.06 else 0))
                for _ in range(samples)
            ]
            blocks.append(
                Round(
                    index=place,
                    position=noise.randrange(3),
                    input_set="normal:0",
                    calls_per_sample=calls,
                    samples_ns=tuple(max(1, int(value * 1e6 * calls)) for value in values),
                    canary_ns=int(5e6 * slow * noise.gauss(1, 0.004)),
                )
            )
        warmup = tuple(
            int(level * 1e6 * (1 + 8 / (call + 1) ** 1.5) * noise.gauss(1, 0.03)) for call in range(90)
        )
        made.append(
            Trial(
                index=index,
                import_ns=int(6e8 * noise.gauss(1, 0.05)),
                load_ns=int(1.4e8 * noise.gauss(1, 0.05)),
                first_inference_ns=warmup[0],
                warmup_ns=warmup,
                steady_from=None if index == 3 and seed == 1 else 24 + noise.randrange(20),
                rounds=tuple(blocks),
                memory_before_engine=41_000_000,
                memory_after_load=int((180 + 60 * seed) * 1e6),
                memory_peak=int((240 + 70 * seed) * 1e6 * noise.gauss(1, 0.01)),
            )
        )
    return tuple(made)


def parity(status: ParityStatus, factor: float, *, budget: float = 10.0, outputs: int = 1) -> Parity:
    """Parity whose worst error is about `factor` yardsticks."""
    noise = random.Random(int(factor * 100))
    judged = tuple(
        OutputParity(
            output=f"output_{number}" if outputs > 1 else "logits",
            input_set=input_set,
            status=status,
            error_rms=3e-7 * factor,
            error_max=2e-6 * factor,
            yardstick_rms=3e-7,
            yardstick_max=2e-6,
            ratio_rms=factor * noise.uniform(0.6, 1.0),
            ratio_max=factor * noise.uniform(0.5, 1.2),
            budget_rms=budget,
            budget_max=2 * budget,
            cosine=1 - 1e-9 * factor,
            top1_agreement=1.0 if status == "pass" else 0.75,
            reason=""
            if status == "pass"
            else f"error is {factor:.0f}× the yardstick's, budget {budget:.0f}×",
        )
        for number in range(outputs)
        for input_set in ("normal:0", "normal:1", "uniform:0")
    )
    return Parity(
        status=status,
        reference="torch 2.13.0 float64",
        yardstick="torch 2.13.0 float32",
        reason="" if status == "pass" else judged[0].reason,
        outputs=judged,
    )


def measured(contender: str, median_ms: float, seed: int, **overrides: Any) -> Result:
    """A measured result around `median_ms`."""
    found = overrides.pop("trials", None) or trials(median_ms, seed=seed)
    fields: dict[str, Any] = {
        "trials": found,
        "memory": Memory(
            before_engine=41_000_000,
            after_load=found[0].memory_after_load,
            peak=max(trial.memory_peak or 0 for trial in found),
        ),
        "artefact": ArtefactRef(bytes=102_400_000, note="model.onnx", build_ns=1_830_000_000),
        "parity": parity("pass", 0.9 + 0.3 * seed),
        "warnings": (),
        "stop_reason": "every ratio is known to within ± 1 %",
    }
    return make_result(contender, **{**fields, **overrides})


def unavailable(contender: str, **overrides: Any) -> Result:
    """A contender whose engine is not here."""
    return make_result(
        contender,
        **{
            "status": "unavailable",
            "trials": (),
            "parity": None,
            "memory": None,
            "artefact": None,
            "engine_version": "",
            "effective": {},
            "warnings": (),
            "failure": Failure(
                phase="probe",
                kind="unavailable",
                message="TensorRT needs an NVIDIA GPU, and there is none",
                hint="pip install tensorrt-cu13, on a machine with a GPU",
            ),
            **overrides,
        },
    )


def crashed(contender: str, **overrides: Any) -> Result:
    """A contender whose worker died, with colours and control characters in what it left."""
    return unavailable(
        contender,
        **{
            "status": "crashed",
            "failure": Failure(
                phase="load",
                kind="crashed",
                message="the worker died of SIGSEGV",
                exit_signal="SIGSEGV",
                stderr_tail="\x1b[31mfatal\x1b[0m: <b>null</b> pointer\x00 in MetaSchedule\nline 2 "
                + "x" * 400,
                traceback='Traceback (most recent call last):\n  File "tvm.py", line 3, in <module>\n',
            ),
            **overrides,
        },
    )


def document(*groups: list[Result], run: Any = None) -> ComparisonDocument:
    """Judged groups of results, as a run gives them."""
    found = run or make_run(
        machine=make_machine(cpu="Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"),
        environment=make_environment(
            command=(
                "harness",
                "compare",
                "torch",
                "ort",
                "openvino@bf16",
                "--model",
                "resnet50",
                "--seed",
                "3 4",
            ),
            packages={"numpy": "2.3.5", "onnxruntime": "1.31.0", "openvino": "2026.4.0", "torch": "2.13.0"},
        ),
    )
    return ComparisonDocument(
        run=found,
        results=tuple(result for group in groups for result in group),
        groups=tuple(judge_group(group) for group in groups),
        exit_code=1,
    )


def full() -> ComparisonDocument:
    """Two good contenders, one wrong, one absent, one crashed, and one with too few samples; a second batch."""
    stolen = Warning_(
        code="steal",
        message="The hypervisor took 6.2 % of the time.",
        figure=0.062,
        consequence="All latencies are too long by up to that share; ratios are less affected.",
        advice="Repeat it at a quieter time, or on a machine of your own.",
    )
    never_steady = Warning_(
        code="never_steady",
        message="1 of 4 trials never became steady within 10 s.",
        figure=0.25,
        consequence="Its samples may hold warm-up.",
        advice="Raise --warmup-max.",
    )
    first = [
        measured("torch", 52.4, 1, warnings=(stolen, never_steady)),
        measured("ort", 40.3, 2, warnings=(stolen,)),
        measured("openvino@bf16", 6.7, 3, parity=parity("fail", 81000.0, budget=65536.0), warnings=(stolen,)),
        measured(
            "ort?intra_op_num_threads=1",
            71.0,
            4,
            trials=trials(71.0, count=1, rounds=2, samples=3, seed=4),
            parity=None,
            warnings=(stolen,),
        ),
        unavailable("trt@fp16"),
        crashed("tvm"),
    ]
    eight = [
        _in_group(measured("torch", 390.0, 1), "group-2", batch=8),
        _in_group(measured("ort", 387.0, 2), "group-2", batch=8),
    ]
    return document(first, eight)


def hostile() -> ComparisonDocument:
    """Every name is one that would break careless markup; the model's and the run's too."""
    results = [
        measured(
            name,
            3.0 + number,
            number,
            model=HOSTILE_NAMES[0],
            parity=parity("pass", 1.0),
            effective={name: {"nested": name}},
            warnings=(Warning_(code="x", message=name, consequence=name, advice=name),),
        )
        for number, name in enumerate(HOSTILE_NAMES[:-1])
    ]
    results.append(crashed(HOSTILE_NAMES[-1], model=HOSTILE_NAMES[0]))
    environment = make_environment(command=("harness", *HOSTILE_NAMES), variables={"OMP": HOSTILE_NAMES[1]})
    return document(results, run=make_run(name=HOSTILE_NAMES[1], environment=environment))


def nothing_measured() -> ComparisonDocument:
    """One contender, and that one absent."""
    return document([unavailable("trt@fp16")])


def many() -> ComparisonDocument:
    """Ten contenders, twelve trials, several outputs: more than colours and places."""
    return document(
        [
            measured(
                f"ort?option={number}",
                0.02 * (1 + number / 10),
                number,
                trials=trials(0.02 * (1 + number / 10), count=12, samples=10, seed=number, calls=16),
                parity=parity("pass", 0.0 if number == 0 else 1.0 + number, outputs=6),
            )
            for number in range(10)
        ]
    )


def _in_group(result: Result, group_id: str, *, batch: int) -> Result:
    case = make_case(result.case.contender.text, batch=batch)
    return result.model_copy(update={"group_id": group_id, "case": case})
