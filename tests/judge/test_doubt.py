"""Every doubt: when it is raised, when not, and that missing data never reads as fine."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.environment.pressure import PressureDelta
from harness.environment.setting import Setting
from harness.environment.tempo import TempoDelta
from harness.judge.doubts.gather import doubts_of_result, doubts_of_run
from harness.records import ContenderRef, FreshPass, Machine, Result, Round, Signature, Trial, Warning_
from tests.factories import make_case, make_failure, make_machine, make_result

QUIET = PressureDelta(
    wall_s=60.0,
    cores=4,
    busy_s=61.0,
    own_cpu_s=60.0,
    steal_s=0.1,
    steal_ever_s=3.0,
    throttled_count=0,
    throttled_s=0.0,
    swap_pages=0,
    waiting_s=0.0,
    thermal_events=0,
    memory_available=4 * 2**30,
    tempo=TempoDelta(frequencies_mhz=(2000.0, 2000.0)),
    setting=Setting(clocksource="tsc", cores=4, numa_nodes=1),
)


def plain_machine(**overrides: Any) -> Machine:
    return make_machine(**{"virtualisation": None, "governor": "performance", "cores_usable": 4, **overrides})


def by_code(warnings: tuple[Warning_, ...]) -> dict[str, Warning_]:
    codes = [warning.code for warning in warnings]
    assert len(codes) == len(set(codes))
    return {warning.code: warning for warning in warnings}


def assert_complete(warning: Warning_) -> None:
    """What, so what, what now: each a sentence or two."""
    for text in (warning.message, warning.consequence, warning.advice):
        assert text.endswith((".", ").")), text
        assert text[0].isupper(), text
        assert len(text) < 200, text


def test_a_quiet_machine_raises_no_doubt() -> None:
    assert doubts_of_run(QUIET, plain_machine()) == ()


RUN_DOUBTS: list[tuple[str, dict[str, Any], dict[str, Any], float | None]] = [
    ("stolen_time", {"steal_s": 4.8}, {}, 0.02),
    ("competing_load", {"busy_s": 84.0}, {}, 0.1),
    ("cgroup_throttled", {"throttled_count": 3, "throttled_s": 1.5}, {}, 1.5),
    ("swapping", {"swap_pages": 256}, {}, 256.0),
    ("thermal_throttling", {"thermal_events": 1}, {}, 1.0),
    ("memory_short", {"memory_available": 2**28}, {}, 0.03125),
    ("memory_short", {"memory_available": 2**28}, {"container_memory_limit": 6 * 2**30}, 1 / 24),
    ("governor", {}, {"governor": "powersave"}, None),
    ("governor", {}, {"governor": "ondemand, performance"}, None),
    ("virtual_machine", {"steal_s": 0.0, "steal_ever_s": 0.0}, {"virtualisation": "kvm"}, 0.0),
]


@pytest.mark.parametrize(("code", "pressure", "machine", "figure"), RUN_DOUBTS)
def test_doubt_of_a_run(
    code: str, pressure: dict[str, Any], machine: dict[str, Any], figure: float | None
) -> None:
    found = by_code(doubts_of_run(replace(QUIET, **pressure), plain_machine(**machine)))
    assert set(found) == {code}
    assert found[code].figure == pytest.approx(figure)
    assert_complete(found[code])


@pytest.mark.parametrize(
    ("pressure", "machine"),
    [
        ({"steal_s": 2.3}, {}),
        ({"busy_s": 71.0}, {}),
        ({"swap_pages": 255}, {}),
        ({}, {"governor": None}),
        ({}, {"virtualisation": "kvm"}),
        ({"steal_ever_s": 0.0}, {}),
        ({"steal_ever_s": 0.0}, {"virtualisation": "docker"}),
        ({"waiting_s": None, "memory_available": None}, {}),
        ({"throttled_count": None, "throttled_s": None}, {"container_cpu_limit": None}),
        ({"memory_available": 0}, {"memory": 0}),
    ],
)
def test_no_doubt_of_a_run(pressure: dict[str, Any], machine: dict[str, Any]) -> None:
    assert doubts_of_run(replace(QUIET, **pressure), plain_machine(**machine)) == ()


@pytest.mark.parametrize(
    ("pressure", "machine", "named"),
    [
        ({"steal_s": None}, {}, "stolen time"),
        ({"busy_s": None}, {}, "load of other processes"),
        ({"own_cpu_s": None}, {}, "load of other processes"),
        ({"swap_pages": None}, {}, "swapping"),
        ({"throttled_count": None}, {"container_cpu_limit": 2.0}, "throttling"),
    ],
)
def test_unreadable_counters_are_named(pressure: dict[str, Any], machine: dict[str, Any], named: str) -> None:
    found = by_code(doubts_of_run(replace(QUIET, **pressure), plain_machine(**machine)))
    assert set(found) == {"pressure_unreadable"}
    assert named in found["pressure_unreadable"].message
    assert_complete(found["pressure_unreadable"])


def test_no_counters_at_all() -> None:
    found = by_code(doubts_of_run(None, plain_machine()))
    assert set(found) == {"pressure_unreadable"}
    assert found["pressure_unreadable"].figure == 3.0
    found = by_code(doubts_of_run(PressureDelta(wall_s=1.0), plain_machine()))
    assert set(found) == {"pressure_unreadable", "tempo_unreadable", "clock_unknown"}


def make_round(index: int, times: np.ndarray, **overrides: Any) -> Round:
    fields: dict[str, Any] = {
        "index": index,
        "position": 0,
        "input_set": "normal:0",
        "calls_per_sample": 1,
        "samples_ns": tuple(int(time) for time in times),
        "canary_ns": 5_000_000,
        "cpu_s": float(times.sum()) * 1e-9 * 2,
        "steal_s": 0.0,
    }
    return Round(**{**fields, **overrides})


def make_trial(index: int, rounds: list[Round], **overrides: Any) -> Trial:
    fields: dict[str, Any] = {
        "index": index,
        "import_ns": 1,
        "load_ns": 1,
        "first_inference_ns": 1,
        "warmup_ns": (9, 5, 4, 4, 4),
        "steady_from": 2,
        "rounds": tuple(rounds),
        "fresh": FreshPass(
            by="upload",
            fresh_ns=(10_100_000, 9_900_000, 10_000_000),
            repeated_ns=(10_000_000, 10_050_000, 9_950_000),
            download_ns=(4_000, 3_000, 3_500),
            download_again_ns=(3_000, 2_900, 3_100),
        ),
    }
    return Trial(**{**fields, **overrides})


def calm_times(generator: np.random.Generator, count: int = 40) -> np.ndarray:
    """Call times in ns: 10 ms with 2 % noise."""
    return 1e7 * generator.normal(1.0, 0.02, count)


def make_measured(trials: int = 4, rounds: int = 6, times: Any = calm_times, **overrides: Any) -> Result:
    """A result without any doubt unless `times` (generator -> ns of one block) or the overrides bring one."""
    generator = np.random.default_rng(7)
    fields: dict[str, Any] = {
        "threads": 2,
        "effective": {"threads": 2, "precision": "fp32", "device": "cpu"},
        "trials": tuple(
            make_trial(t, [make_round(r, times(generator)) for r in range(rounds)]) for t in range(trials)
        ),
        "warnings": (),
    }
    return make_result(**{**fields, **overrides})


def change_rounds(result: Result, **changes: Any) -> Result:
    """The result with fields of all rounds changed; a function gets the running number of the round."""
    number = -1

    def changed(item: Round) -> Round:
        nonlocal number
        number += 1
        return item.model_copy(
            update={name: value(number) if callable(value) else value for name, value in changes.items()}
        )

    trials = tuple(
        trial.model_copy(update={"rounds": tuple(changed(item) for item in trial.rounds)})
        for trial in result.trials
    )
    return result.model_copy(update={"trials": trials})


def only_doubt(result: Result, code: str) -> Warning_:
    found = by_code(doubts_of_result(result))
    assert set(found) == {code}
    assert_complete(found[code])
    return found[code]


def test_a_calm_measurement_raises_no_doubt() -> None:
    assert doubts_of_result(make_measured()) == ()


def test_a_failure_has_no_measurement_to_doubt() -> None:
    assert doubts_of_result(make_failure()) == ()


@pytest.mark.parametrize("trials", [(), (make_trial(0, []),)])
def test_measured_without_samples(trials: tuple[Trial, ...]) -> None:
    only_doubt(make_measured(trials=0).model_copy(update={"trials": trials}), "no_samples")


def test_never_steady() -> None:
    result = make_measured()
    last = result.trials[-1].model_copy(update={"steady_from": None})
    warning = only_doubt(result.model_copy(update={"trials": (*result.trials[:-1], last)}), "never_steady")
    assert warning.figure == 0.25
    assert "1 of 4" in warning.message


def test_no_warm_up_recorded_is_not_the_same_as_never_steady() -> None:
    result = make_measured()
    last = result.trials[-1].model_copy(update={"steady_from": None, "warmup_ns": ()})
    only_doubt(result.model_copy(update={"trials": (*result.trials[:-1], last)}), "warmup_unknown")


def test_canary_that_wandered() -> None:
    result = change_rounds(make_measured(), canary_ns=lambda number: 5_000_000 + 1_000_000 * (number % 2))
    warning = only_doubt(result, "machine_wandered")
    assert warning.figure == pytest.approx(0.093, abs=0.002)
    assert "9%" in warning.message


def test_canary_that_wandered_little() -> None:
    result = change_rounds(make_measured(), canary_ns=lambda number: 5_000_000 + 300_000 * (number % 2))
    assert doubts_of_result(result) == ()


@pytest.mark.parametrize("known", [0, 2])
def test_missing_canary(known: int) -> None:
    result = change_rounds(make_measured(), canary_ns=lambda number: 5_000_000 if number < known else None)
    assert only_doubt(result, "canary_missing").figure == known


def test_stolen_time() -> None:
    warning = only_doubt(change_rounds(make_measured(), steal_s=0.02), "stolen_from_blocks")
    # Blocks of 0.4 s on two usable cores.
    assert warning.figure == pytest.approx(0.025, rel=0.02)


def test_stolen_time_below_the_threshold() -> None:
    assert doubts_of_result(change_rounds(make_measured(), steal_s=0.004)) == ()


@pytest.mark.parametrize("trials", [1, 3])
def test_few_trials(trials: int) -> None:
    assert only_doubt(make_measured(trials=trials), "few_trials").figure == trials


def test_dependent_samples() -> None:
    def times(generator: np.random.Generator) -> np.ndarray:
        noise = generator.normal(size=200)
        for index in range(1, 200):
            noise[index] += 0.8 * noise[index - 1]
        return 1e7 * np.exp(0.01 * noise)

    warning = only_doubt(make_measured(times=times), "dependent_samples")
    assert warning.figure == pytest.approx(0.8, abs=0.06)
    assert "4800 samples" in warning.message


def test_trials_that_differ() -> None:
    result = make_measured()
    levels = (1.0, 1.2, 0.9, 1.1)
    trials = tuple(
        trial.model_copy(
            update={
                "rounds": tuple(
                    item.model_copy(
                        update={"samples_ns": tuple(int(level * ns) for ns in item.samples_ns), "cpu_s": None}
                    )
                    for item in trial.rounds
                )
            }
        )
        for trial, level in zip(result.trials, levels, strict=True)
    )
    warning = only_doubt(result.model_copy(update={"trials": trials}), "trials_differ")
    assert warning.figure == pytest.approx(0.124, abs=0.01)


def test_trials_that_differ_as_rounds_do() -> None:
    def times(generator: np.random.Generator) -> np.ndarray:
        return calm_times(generator) * generator.normal(1.0, 0.05)

    assert "trials_differ" not in by_code(doubts_of_result(make_measured(times=times)))


def test_two_modes_are_not_counted_as_outliers_too() -> None:
    def times(generator: np.random.Generator) -> np.ndarray:
        return calm_times(generator) * np.where(generator.random(40) < 0.25, 1.5, 1.0)

    warning = only_doubt(make_measured(times=times), "two_modes")
    assert warning.figure == pytest.approx(0.5, abs=0.02)
    assert re.search(r"(9\.9\d|10|10\.\d) ms and (14\.9|15|15\.\d) ms", warning.message)


def test_modes_of_batched_calls_are_told_per_call() -> None:
    def times(generator: np.random.Generator) -> np.ndarray:
        return calm_times(generator) * np.where(generator.random(40) < 0.25, 1.5, 1.0)

    result = change_rounds(make_measured(times=times), calls_per_sample=10)
    message = only_doubt(result, "two_modes").message
    assert re.search(r"(0\.99\d|1|1\.0\d) ms and (1\.49|1\.5|1\.5\d) ms", message)


def outliers(share: float) -> Any:
    def times(generator: np.random.Generator) -> np.ndarray:
        return calm_times(generator, 100) * np.where(
            generator.random(100) < share, generator.uniform(2, 9, 100), 1.0
        )

    return times


def test_many_outliers() -> None:
    warning = only_doubt(make_measured(times=outliers(0.08)), "many_outliers")
    assert warning.figure == pytest.approx(0.08, abs=0.01)


def test_few_outliers() -> None:
    assert doubts_of_result(make_measured(times=outliers(0.02))) == ()


def asked(precision: str, effective: dict[str, Any], **overrides: Any) -> Result:
    contender = ContenderRef(text=f"ort@{precision}", backend="ort", precision=precision)
    return make_measured(
        case=make_case(contender=contender.text, threads=2), effective=effective, **overrides
    )


@pytest.mark.parametrize(
    ("precision", "effective", "code"),
    [
        ("fp32", {"precision": "bf16"}, "precision_differs"),
        ("fp32", {"INFERENCE_PRECISION_HINT": "bf16"}, "precision_differs"),
        ("fp32", {"precision": "fp16+fp32"}, "precision_differs"),
        ("fp16", {"precision": "fp32"}, "precision_differs"),
        ("fp32", {"precision": "tf32"}, "precision_differs"),
        ("fp32", {}, "precision_unreadable"),
        ("fp32", {"precision": "unknown"}, "precision_unreadable"),
        ("fp32", {"precision": None}, "precision_unreadable"),
        ("fp32", {"precision": "fp32", "tf32_matmul": True}, "tf32_allowed"),
        ("fp32", {"precision": "fp32", "threads": 1}, "threads_differ"),
        ("fp32", {"precision": "fp32", "threads": 0}, "threads_differ"),
        ("fp32", {"precision": "fp32", "threads": None}, "threads_unreadable"),
        ("fp32", {"precision": "fp32", "threads": "auto"}, "threads_unreadable"),
        ("fp32", {"precision": "fp32", "threads": True}, "threads_unreadable"),
    ],
)
def test_not_as_asked(precision: str, effective: dict[str, Any], code: str) -> None:
    only_doubt(asked(precision, {"threads": 2} | effective), code)


@pytest.mark.parametrize(
    ("precision", "effective"),
    [
        ("fp32", {"precision": "fp32"}),
        ("fp32", {"precision": "f32", "tf32_matmul": False}),
        ("fp32", {"inference_precision_hint": "f32"}),
        ("bf16", {"precision": "bfloat16"}),
        ("tf32", {"precision": "tf32", "tf32_matmul": True}),
        ("fp32", {"precision": "fp32", "device": "cuda:0", "threads": 7}),
        ("fp32", {"precision": "fp32", "device": "CPU"}),
    ],
)
def test_as_asked(precision: str, effective: dict[str, Any]) -> None:
    assert doubts_of_result(asked(precision, {"threads": 2} | effective)) == ()


def test_an_engine_that_tells_nothing_is_doubted_twice() -> None:
    found = by_code(doubts_of_result(make_measured(effective={})))
    assert set(found) == {"precision_unreadable", "threads_unreadable"}


def test_more_cores_than_threads() -> None:
    result = change_rounds(make_measured(), cpu_s=1.6)
    warning = only_doubt(result, "more_cpu_than_threads")
    assert warning.figure == pytest.approx(4.0, rel=0.02)


def test_cpu_time_that_was_not_measured_proves_nothing() -> None:
    assert doubts_of_result(change_rounds(make_measured(), cpu_s=None)) == ()


def signature_of(result: Result, size: int | str) -> Signature:
    """The model's own signature with another first dimension of all inputs."""
    model = result.case.model
    inputs = tuple(t.model_copy(update={"shape": (size, *t.shape[1:])}) for t in model.inputs)
    return Signature(inputs=inputs, outputs=model.outputs)


def test_an_engine_that_was_built_for_the_asked_size_alone_is_doubted() -> None:
    result = make_measured()
    assert isinstance(result.case.model.inputs[0].shape[0], str)
    batch = result.case.variant.batch
    fixed = result.model_copy(update={"signature": signature_of(result, batch)})
    found = only_doubt(fixed, "shapes_fixed")
    assert f"is fixed at {batch}" in found.message
    open_axis = result.model_copy(update={"signature": signature_of(result, "n")})
    assert doubts_of_result(open_axis) == ()


@pytest.mark.parametrize(
    ("fresh", "code"),
    [
        (FreshPass(fresh_ns=(15_000_000,) * 8, repeated_ns=(10_000_000,) * 8), "repeats_faster"),
        (FreshPass(fresh_ns=(90_000_000,) * 8, repeated_ns=(10_000_000,) * 8), "repeats_faster"),
        (
            FreshPass(
                fresh_ns=(1000,) * 8,
                repeated_ns=(1000,) * 8,
                download_ns=(9_000_000,) * 8,
                download_again_ns=(1000,) * 8,
            ),
            "work_after_call",
        ),
        (FreshPass(reason="the inputs hold one value only"), "repeats_unchecked"),
        (None, "repeats_unchecked"),
    ],
)
def test_calls_that_leave_work_out_are_doubted(fresh: FreshPass | None, code: str) -> None:
    result = make_measured()
    changed = tuple(trial.model_copy(update={"fresh": fresh}) for trial in result.trials)
    only_doubt(result.model_copy(update={"trials": changed}), code)
