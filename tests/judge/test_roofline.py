"""The roofline on numbers whose answers are known by hand."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judge.comparison import Estimate
from harness.judge.roofline import Roofline, at_best, roofline
from harness.records.work import Ceiling, Ceilings, Traffic, Work
from tests.factories import make_machine

GIGA = 1e9


def ceiling(rate: float, precision: str = "fp32", **more: Any) -> Ceiling:
    return Ceiling(
        kind="compute" if precision else "memory",
        precision=precision,
        rate=rate,
        typical=rate,
        rounds=6,
        implementation="ort 1",
        kernel="a product",
        threads=2,
        settled=True,
        tried=(),
        **more,
    )


def machine(**overrides: Any) -> Ceilings:
    """100 GFLOP/s in float32, four times that in int8, and 10 GB/s: the ridge is at 10 operations a byte."""
    fields: dict[str, Any] = {
        "machine": make_machine(),
        "device": "cpu",
        "threads": 2,
        "last_level_cache": 1_000,
        "compute": {"fp32": ceiling(100 * GIGA), "int8": ceiling(400 * GIGA, "int8")},
        "memory": ceiling(10 * GIGA, ""),
    }
    return Ceilings(**{**fields, **overrides})


def work(macs: int, elements: int, **overrides: Any) -> Work:
    """`elements` float weights and nothing else to move."""
    fields: dict[str, Any] = {
        "batch": 1,
        "macs": macs,
        "plain": 7,
        "weights": Traffic(float_elements=elements),
        "inputs": Traffic(),
        "outputs": Traffic(),
        "activations": Traffic(float_elements=3 * elements),
        "by_operator": {},
    }
    return Work(**{**fields, **overrides})


def took(value: float | None, low: float | None = None, high: float | None = None, **more: Any) -> Estimate:
    return Estimate(value=value, low=low, high=high, unit="s", samples=50, trials=4, **more)


def place(found: Work, seconds: float = 1.0, precision: str = "fp32", **ceilings: Any) -> Roofline:
    return roofline(found, precision, took(seconds), machine(**ceilings))


@pytest.mark.parametrize(
    ("macs", "elements", "precision", "least", "bound"),
    [
        # 20 GFLOP at 100 GFLOP/s, 0.4 GB at 10 GB/s
        (10 * GIGA, 0.1 * GIGA, "fp32", 0.2, "compute"),
        # 2 GFLOP, 4 GB
        (1 * GIGA, 1 * GIGA, "fp32", 0.4, "memory"),
        # the same in int8: four times the rate, a quarter of the bytes
        (10 * GIGA, 0.1 * GIGA, "int8", 0.05, "compute"),
        (1 * GIGA, 1 * GIGA, "int8", 0.1, "memory"),
        # on the ridge: both take 0.4 s
        (20 * GIGA, 1 * GIGA, "fp32", 0.4, "compute"),
        # nothing but bytes
        (0, 1 * GIGA, "fp32", 0.4, "memory"),
    ],
)
def test_the_longer_of_both_is_the_least_time(
    macs: float, elements: float, precision: str, least: float, bound: str
) -> None:
    found = place(work(int(macs), int(elements)), 1.0, precision)
    assert found.least_s == pytest.approx(least)
    assert found.share.value == pytest.approx(least)
    assert found.bound == bound
    assert found.flops == 2 * macs


def test_figures_of_one_result() -> None:
    found = place(work(int(10 * GIGA), int(0.1 * GIGA)), 0.5)
    assert found.intensity == pytest.approx(50)
    assert found.intensity_unfused == pytest.approx(12.5)
    assert found.attained_flops.value == pytest.approx(40 * GIGA)
    assert found.attained_bytes.value == pytest.approx(0.8 * GIGA)
    assert found.ceiling_flops == pytest.approx(100 * GIGA)
    assert found.share.value == pytest.approx(0.4)
    assert found.words == "40% of the machine's ceiling, which is set by fp32 arithmetic"
    assert not found.lower_bound


def test_the_ceiling_at_a_low_intensity_is_memory_times_intensity() -> None:
    found = place(work(int(1 * GIGA), int(1 * GIGA)))
    assert found.intensity == pytest.approx(0.5)
    assert found.ceiling_flops == pytest.approx(0.5 * 10 * GIGA)


def test_the_latencys_interval_passes_on_turned_round() -> None:
    found = roofline(work(int(10 * GIGA), 0), "fp32", took(0.5, 0.4, 0.8, confidence=0.9), machine())
    for figure, whole in ((found.share, 0.2), (found.attained_flops, 20 * GIGA)):
        assert figure.value == pytest.approx(whole / 0.5)
        assert (figure.low, figure.high) == (pytest.approx(whole / 0.8), pytest.approx(whole / 0.4))
        assert (figure.confidence, figure.samples, figure.trials) == (0.9, 50, 4)


def test_a_share_without_an_interval_says_why() -> None:
    found = roofline(work(10, 0), "fp32", took(0.5, reason="one trial gives no interval"), machine())
    assert found.share.value is not None
    assert (found.share.low, found.share.reason) == (None, "one trial gives no interval")


@pytest.mark.parametrize(
    ("elements", "word"), [(0, "Winograd"), (100 * GIGA, "stayed in caches")], ids=["compute", "memory"]
)
def test_a_share_above_one_is_told_and_not_clipped(elements: float, word: str) -> None:
    found = place(work(int(100 * GIGA), int(elements)), 1.0)
    assert found.share.value is not None
    assert found.share.value > 1
    assert any(note.startswith("above 1") and word in note for note in found.notes)


def test_no_latency_is_no_share() -> None:
    found = roofline(work(10, 10), "fp32", took(None, reason="the worker crashed"), machine())
    assert found.share.value is None
    assert "the worker crashed" in found.share.reason
    assert found.attained_flops.value is None
    assert "n/a" in found.words
    assert found.least_s is not None


def test_a_ceiling_that_is_missing_is_the_reason() -> None:
    found = place(work(10, 10), precision="bf16")
    assert (found.share.value, found.bound, found.least_s) == (None, None, None)
    assert "bf16" in found.share.reason
    found = place(work(10, 10), precision="bf16", missing={"bf16": "no library computes in it"})
    assert found.share.reason == "no library computes in it"


def test_without_memorys_ceiling_arithmetic_still_counts() -> None:
    found = place(work(int(10 * GIGA), int(GIGA)), memory=None, missing={"memory": "it failed"})
    assert found.share.value == pytest.approx(0.2)
    assert any("it failed" in note for note in found.notes)
    found = place(work(0, int(GIGA)), memory=None, missing={"memory": "it failed"})
    assert found.share.value is None
    assert "it failed" in found.share.reason


def test_what_fits_in_the_cache_needs_no_memory() -> None:
    small = work(int(1e6), 250)
    found = place(small, 1e-4)
    assert found.bound == "compute"
    assert found.share.value == pytest.approx(0.2)
    assert any("fit in the last-level cache" in note for note in found.notes)
    assert place(work(int(1e6), 251), 1e-4).notes == ()
    assert place(work(0, 250)).share.value is None


def test_caches_of_unknown_size_are_told() -> None:
    assert any("not known" in note for note in place(work(10, int(GIGA)), last_level_cache=None).notes)


def test_uncounted_nodes_make_the_share_a_lower_bound() -> None:
    found = place(work(int(10 * GIGA), 0, uncounted={"Loop": 2}, uncounted_why={"Loop": "unknown"}))
    assert found.lower_bound
    assert found.words.startswith("at least ")
    assert any("2 Loop" in note for note in found.notes)


def test_nothing_counted_at_all_is_no_share() -> None:
    found = place(work(0, 0, uncounted={"Loop": 1}))
    assert found.share.value is None
    assert found.ceiling_flops is None


def test_integer_operations_of_a_float_result_count_at_their_own_ceiling() -> None:
    mixed = work(int(20 * GIGA), 0, int8_macs=int(10 * GIGA))
    assert at_best(mixed, "fp32", machine()).seconds == pytest.approx(0.2 + 0.05)
    only_float = {"fp32": ceiling(100 * GIGA)}
    assert "int8" in at_best(mixed, "fp32", machine(compute=only_float)).reason


@pytest.mark.parametrize(("precision", "bytes_"), [("fp32", 48), ("tf32", 48), ("bf16", 28), ("int8", 18)])
def test_precision_scales_floats_only(precision: str, bytes_: int) -> None:
    some = work(
        1,
        5,
        inputs=Traffic(float_elements=3),
        outputs=Traffic(float_elements=2, other_bytes=8),
    )
    assert some.compulsory_bytes(precision) == bytes_


def test_records_survive_json() -> None:
    found = place(work(10, 10))
    assert Roofline.model_validate_json(found.model_dump_json()) == found
    ceilings = machine()
    assert Ceilings.model_validate_json(ceilings.model_dump_json()) == ceilings


def test_an_unknown_precision_is_no_guess() -> None:
    with pytest.raises(KeyError):
        place(work(10, 10), precision="fp7")
