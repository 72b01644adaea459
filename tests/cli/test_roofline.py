"""`harness roofline`: the real command on this machine, its document, its cache, its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.show.roofline import RooflineDocument
from tests.cli.command import Harness


def document(harness: Harness, name: str = "r.json") -> RooflineDocument:
    return RooflineDocument.model_validate_json((harness.folder / name).read_bytes())


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Harness:
    """A folder in which ceilings were measured once; its cache is the tests' own."""
    folder = tmp_path_factory.mktemp("roofline")
    harness = Harness(folder, cache)
    done = harness("roofline", "--threads", 1, "--json", "r.json", timeout=300)
    assert done.code == 0, done.text
    assert "Measuring the ceiling of fp32 products on 1 thread" in done
    assert "GFLOP/s" in done
    assert "Written to r.json" in done
    return harness


def test_ceilings_of_this_machine(measured: Harness) -> None:
    found = document(measured).ceilings
    assert found.memory is not None
    assert found.missing == {}
    assert set(found.compute) == {"fp32"}
    assert {tried.implementation for tried in found.compute["fp32"].tried} == {
        "numpy",
        "torch",
        "ort",
        "openvino",
    }
    # The best is the best of all that were tried, whichever library that is here.
    for ceiling in (found.memory, *found.compute.values()):
        assert ceiling.rate == max(tried.rate for tried in ceiling.tried if tried.rate)


def test_the_second_time_they_come_from_the_cache_with_their_age(measured: Harness) -> None:
    before = document(measured)
    done = measured("roofline", "--threads", 1, "--json", "again.json", "--model", "tiny-cnn", "--batch", 4)
    assert done.code == 0, done.text
    assert "Measuring" not in done
    after = document(measured, "again.json")
    assert (after.ceilings.memory, after.ceilings.compute) == (
        before.ceilings.memory,
        before.ceilings.compute,
    )
    assert after.model is not None
    assert after.model.work is not None
    assert after.model.work.macs == 4 * 3_459_584
    best = after.model.best["fp32"].seconds
    assert best == pytest.approx(2 * after.model.work.macs / after.ceilings.compute["fp32"].rate)
    assert "tiny-cnn, batch 4" in done


def test_a_precision_that_is_not_here_is_told_and_fails(measured: Harness) -> None:
    done = measured("roofline", "--threads", 1, "-p", "tf32", "-p", "fp32")
    assert done.code == 1
    assert "tf32: n/a, no library is known to compute in tf32 on cpu" in done
    assert "GFLOP/s" in done


def test_quiet_prints_nothing(measured: Harness) -> None:
    done = measured("roofline", "--threads", 1, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-p", "fp7"), "'fp7' is no precision; known: fp32"),
        (("--threads", "0"), "--threads"),
        (("--model", "resnet5"), "resnet50"),
        (("--model", "missing.onnx"), "missing.onnx"),
        (("--dim", "t=3"), "--model"),
        (("--model", "tiny-cnn", "--dim", "t=3"), "--dim t=3: the model has no dynamic dimension"),
        (("--json", "nowhere/r.json"), "nowhere/r.json"),
    ],
)
def test_bad_usage_is_refused_before_anything_is_measured(
    harness: Harness, words: tuple[str, ...], says: str
) -> None:
    done = harness("roofline", *words)
    assert done.code == 2, done.text
    assert says in done
    assert "Measuring" not in done
