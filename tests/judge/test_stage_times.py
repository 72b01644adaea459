"""Do the stages add up to the call: with known truth, on noisy machines, and with parts missing."""

from __future__ import annotations

import numpy as np
import pytest

from harness.judge.doubts.stages import NO_STEP, doubts
from harness.judge.stage_times import additivity, carried, stage_estimates
from harness.records import StagePass, StageTimes, TransferTimes
from tests.factories import make_failure, make_result, make_trials

TRUE_MS = {"preprocess": 3.0, "upload": 0.2, "infer": 10.0, "download": 0.1, "postprocess": 0.7}


def stage_pass(
    *,
    gap: float = 0.0,
    pairs: int = 60,
    noise: float = 0.01,
    wander: float = 0.0,
    seed: int = 0,
    reasons: dict[str, str] | None = None,
    device: bool = False,
) -> StagePass:
    """Split calls of `TRUE_MS`, and whole calls of which the share `gap` is in no stage.

    `noise` is independent, `wander` is the machine's speed, which a whole call and the split one beside it share.
    """
    rng = np.random.default_rng(seed)
    speed = np.exp(np.cumsum(rng.normal(0, wander, pairs)))
    reasons = reasons or {}

    def noisy(ms: float) -> np.ndarray:
        return ms * 1e6 * speed * np.exp(rng.normal(0, noise, pairs))

    there = {stage: ms for stage, ms in TRUE_MS.items() if stage not in reasons}
    whole = noisy(sum(there.values()) / (1 - gap))
    return StagePass(
        end_to_end_ns=tuple(whole.astype(int).tolist()),
        stages=tuple(
            StageTimes(stage=stage, reason=reasons[stage])
            if stage in reasons
            else StageTimes(
                stage=stage,
                samples_ns=tuple(noisy(ms).astype(int).tolist()),
                device_ns=(1, 2) if device and stage == "upload" else (),
            )
            for stage, ms in TRUE_MS.items()
        ),
    )


def result_with(*passes: StagePass):
    trials = make_trials(len(passes))
    return make_result(
        trials=tuple(
            trial.model_copy(update={"stages": each}) for trial, each in zip(trials, passes, strict=True)
        )
    )


def test_estimates_are_the_medians_of_all_trials() -> None:
    found = stage_estimates(result_with(*(stage_pass(seed=seed) for seed in range(4))))
    for stage, ms in TRUE_MS.items():
        assert found[stage].value == pytest.approx(ms * 1e-3, rel=0.01)
        assert found[stage].low < ms * 1e-3 < found[stage].high
        assert found[stage].trials == 4
    assert found["end_to_end"].value == pytest.approx(sum(TRUE_MS.values()) * 1e-3, rel=0.01)


def test_a_stage_that_cannot_be_separated_has_no_figure_but_its_reason() -> None:
    found = stage_estimates(result_with(stage_pass(reasons={"upload": "copied inside infer"})))
    assert found["upload"].value is None
    assert found["upload"].reason == "copied inside infer"
    assert found["infer"].value is not None


def test_without_a_stage_pass_nothing_is_claimed() -> None:
    for result in (make_result(), make_failure()):
        found = stage_estimates(result)
        assert all(estimate.value is None and estimate.reason for estimate in found.values())
    assert "SIGSEGV" in stage_estimates(make_failure())["infer"].reason


@pytest.mark.parametrize("gap", [-0.3, -0.05, 0.0, 0.01, 0.05, 0.3])
def test_the_gap_is_found_on_a_machine_whose_speed_wanders(gap: float) -> None:
    found = additivity([stage_pass(gap=gap, wander=0.05, seed=seed) for seed in range(3)])
    assert found is not None
    assert found.gap == pytest.approx(gap, abs=0.01)
    assert found.holds == (abs(gap) <= 0.02)


def test_the_standard_error_covers_the_truth() -> None:
    """Over 300 simulated passes the gap is within two standard errors of the truth about 95 times in 100."""
    inside = 0
    for seed in range(300):
        found = additivity([stage_pass(gap=0.03, noise=0.05, pairs=40, seed=seed)])
        assert found is not None
        inside += abs(found.gap - 0.03) <= 2 * found.error
    assert 0.90 <= inside / 300 <= 0.99


def codes(*passes: StagePass) -> dict[str, str]:
    return {w.code: f"{w.message} {w.consequence}" for w in doubts(result_with(*passes))}


def test_stages_that_add_up_raise_no_doubt() -> None:
    assert codes(stage_pass(), stage_pass(seed=1)) == {}


def test_a_missing_part_is_named() -> None:
    assert "between the stages" in codes(stage_pass(gap=0.1))["stages_incomplete"]
    hidden = codes(stage_pass(gap=0.1, reasons={"download": "copied inside infer"}))
    assert "download (copied inside infer)" in hidden["stages_incomplete"]


def test_stages_that_take_longer_than_the_call_overlap() -> None:
    assert "overlap" in codes(stage_pass(gap=-0.1, device=True))["stages_incomplete"]
    assert "longer" in codes(stage_pass(gap=-0.1))["stages_incomplete"]


def test_few_or_noisy_pairs_settle_nothing() -> None:
    assert "stages_unsettled" in codes(stage_pass(gap=0.1, pairs=4))
    assert "stages_incomplete" not in codes(stage_pass(gap=0.03, noise=0.2, pairs=30))


def test_samples_of_a_broken_clock_do_not_count() -> None:
    whole = stage_pass()
    broken = whole.model_copy(update={"end_to_end_ns": tuple(0 for _ in whole.end_to_end_ns)})
    assert additivity([broken]) is None
    ragged = whole.model_copy(update={"end_to_end_ns": whole.end_to_end_ns[:-1]})
    assert additivity([ragged]) is None


def test_items_and_steps_that_failed_are_doubts() -> None:
    failing = stage_pass(reasons={"preprocess": "no Pillow", "postprocess": NO_STEP})
    found = codes(failing.model_copy(update={"items": ("a.jpg",), "problems": ("b.jpg: cut short",)}))
    assert "1 of 2 items" in found["items_left_out"]
    assert "b.jpg: cut short" in found["items_left_out"]
    assert "no Pillow" in found["preprocess_failed"]
    assert "postprocess_failed" not in found


def test_a_pass_that_ended_in_an_error_is_one_doubt() -> None:
    ended = StagePass(
        stages=tuple(StageTimes(stage=stage, reason="ValueError: no more pictures") for stage in TRUE_MS)
    )
    found = codes(ended, stage_pass())
    assert set(found) == {"stages_failed"}
    assert "1 of 2 stage passes ended in an error: ValueError: no more pictures" in found["stages_failed"]


def test_transfers_have_a_rate_where_something_is_moved() -> None:
    def times(direction: str, path: str, ns: int, **more: object) -> TransferTimes:
        return TransferTimes(direction=direction, path=path, bytes=6_000_000, samples_ns=(ns,) * 20, **more)

    each = StagePass(
        transfers=(
            times("upload", "pinned", 250_000, device_ns=(240_000,) * 20),
            times("upload", "pageable", 1_000_000),
            times("download", "zero_copy", 4_000, calls_per_sample=4),
            TransferTimes(direction="download", path="copy", bytes=0, reason="refused"),
        )
    )
    pinned, pageable, handed, refused = carried(result_with(each, each))
    assert pinned.rate.value == pytest.approx(24e9)
    assert pinned.device_seconds.value == pytest.approx(240e-6)
    assert pageable.rate.value == pytest.approx(6e9)
    assert pageable.device_seconds.value is None
    assert handed.seconds.value == pytest.approx(1e-6)
    assert handed.rate.value is None and "nothing is moved" in handed.rate.reason
    assert refused.seconds.value is None and refused.rate.reason == "refused"
