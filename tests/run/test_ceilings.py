"""Ceilings: measured by real workers on small work, kept, and measured again when something has changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.records.work import Ceiling
from harness.run import ceilings as module
from harness.run import kept
from harness.run.ceiling_bench import NoCeilingError, Way, measure
from harness.run.ceilings import SMALLEST_ARRAY, array_bytes, ceilings, product_ways, stream_ways
from harness.run.observer import Silent
from tests.factories import make_machine

SMALL = (64, 64, 64)


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def measured(ways: Sequence[Way], kind: Any = "compute") -> Ceiling:
    return measure(
        ways,
        kind=kind,
        precision="fp32" if kind == "compute" else "",
        threads=1,
        device="cpu",
        machine=make_machine(),
        observer=Silent(),
    )


def test_the_best_of_several_libraries_counts() -> None:
    found = measured([Way(name, size=SMALL) for name in ("numpy", "torch", "ort")])
    rates = {tried.implementation: tried.rate for tried in found.tried}
    assert set(rates) == {"numpy", "torch", "ort"}
    assert found.rate == max(rate for rate in rates.values() if rate)
    assert rates[found.implementation.split()[0]] == found.rate
    assert found.kernel == "fp32 product 64×64×64"
    assert 0 < found.typical <= found.rate
    assert found.rounds >= 1
    assert found.canary_spread is not None


def test_a_way_that_fails_is_told_and_does_not_spoil_the_others() -> None:
    found = measured([Way("ort", precision="bf16", size=SMALL), Way("numpy", size=SMALL)])
    failed, fine = found.tried
    assert failed.rate is None
    assert "ort" in failed.reason
    assert found.implementation.startswith("numpy ")
    assert fine.rate == found.rate


def test_when_no_way_works_the_reasons_are_told() -> None:
    with pytest.raises(NoCeilingError, match=r"numpy.*bf16"):
        measured([Way("numpy", precision="bf16", size=SMALL)])


def test_streams_count_bytes() -> None:
    found = measured(stream_ways("cpu", 2**20), "memory")
    assert found.kind == "memory"
    told = {t.kernel for t in found.tried if t.rate}
    streams = {f"{name} of 1 MiB arrays" for name in ("copy", "scale", "add", "triad", "sum")}
    assert told == {*streams, "fp32 vector times a 4096×64 matrix"}
    vectors = {t.implementation for t in found.tried if t.rate and "vector" in t.kernel}
    assert vectors == {"numpy", "torch", "ort", "openvino"}
    # Nothing here moves fewer than a hundred million or more than a hundred thousand billion bytes a second.
    assert 1e8 < found.rate < 1e14


class Measuring:
    """In place of the measurement: counts how often each ceiling is measured."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, what: str, threads: int, *_rest: Any) -> Ceiling:
        self.asked.append(what)
        if what == "tf32":
            raise NoCeilingError("there is none")
        return Ceiling(
            kind="memory" if what == "memory" else "compute",
            precision="" if what == "memory" else what,
            rate=1e9 * len(self.asked),
            typical=1e9,
            rounds=6,
            implementation="numpy 2",
            kernel="k",
            threads=threads,
            settled=True,
            tried=(),
        )


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Measuring:
    found = Measuring()
    monkeypatch.setattr(module, "_measure", found)
    return found


def ask(threads: int = 2, precisions: Sequence[str] = ("fp32",), **more: Any) -> Any:
    return ceilings(threads, precisions, Silent(), **{"machine": make_machine(), **more})


def test_what_was_measured_once_is_kept(measuring: Measuring) -> None:
    first = ask()
    assert measuring.asked == ["memory", "fp32"]
    again = ask()
    assert measuring.asked == ["memory", "fp32"]
    assert (again.memory, again.compute) == (first.memory, first.compute)
    ask(precisions=("fp32", "int8", "int8"))
    assert measuring.asked == ["memory", "fp32", "int8"]


def test_fresh_replaces_what_is_kept(measuring: Measuring) -> None:
    first = ask()
    fresh = ask(fresh=True)
    assert fresh.compute["fp32"].rate != first.compute["fp32"].rate
    assert ask().compute == fresh.compute
    assert len(measuring.asked) == 4


@pytest.mark.parametrize(
    "change", [{"threads": 1}, {"machine": make_machine(id="another")}, {"device": "cuda"}], ids=str
)
def test_another_machine_or_setting_is_measured_anew(measuring: Measuring, change: dict[str, Any]) -> None:
    ask()
    ask(**change)
    assert measuring.asked == ["memory", "fp32"] * 2


def test_another_version_of_a_library_is_measured_anew(
    measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()
    monkeypatch.setattr(module, "_version", lambda distribution: f"{distribution} from tomorrow")
    ask()
    assert measuring.asked == ["memory", "fp32"] * 2


def test_a_damaged_entry_is_measured_anew(measuring: Measuring, cache_home: Path) -> None:
    ask()
    for path in (cache_home / "ceilings").glob("*.json"):
        path.write_text(path.read_text()[:40])
    ask()
    assert measuring.asked == ["memory", "fp32"] * 2


def test_what_cannot_be_measured_is_missing_with_its_reason(measuring: Measuring) -> None:
    found = ask(precisions=("tf32", "fp32"))
    assert found.missing == {"tf32": "there is none"}
    assert set(found.compute) == {"fp32"}
    ask(precisions=("tf32",))
    assert measuring.asked.count("tf32") == 2  # a reason may pass: it is not kept


def test_a_cache_that_cannot_be_written_is_told(measuring: Measuring, cache_home: Path) -> None:
    cache_home.write_text("a file where the folder should be")
    told: list[str] = []

    class Listening(Silent):
        def say(self, text: str) -> None:
            told.append(text)

    found = ceilings(2, ("fp32",), Listening(), machine=make_machine())
    assert found.compute["fp32"].rate > 0
    assert len(told) == len(measuring.asked) == 2
    assert all(str(cache_home) in text for text in told)


def test_kept_records_come_back_whole(measuring: Measuring) -> None:
    ceiling = measuring("fp32", 2)
    assert kept.load("some", {"a": "1"}, Ceiling) is None
    assert kept.keep("some", {"a": "1"}, ceiling) == ""
    assert kept.load("some", {"a": "1"}, Ceiling) == ceiling
    assert kept.load("some", {"a": "2"}, Ceiling) is None


def test_a_lower_precision_may_be_reached_in_float32() -> None:
    ways = product_ways("cpu", "int8", 2)
    assert {way.precision for way in ways} == {"int8", "fp32"}
    assert {way.precision for way in product_ways("cpu", "fp32", 2)} == {"fp32"}
    assert product_ways("cpu", "tf32", 2) == []
    assert {way.precision for way in product_ways("cuda", "tf32", 2)} == {"tf32"}
    sizes = [way.size[0] for way in ways if way.size]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("cache", "available", "expected"),
    [
        (None, None, SMALLEST_ARRAY),
        (2**20, 100 * 2**30, SMALLEST_ARRAY),
        (256 * 2**20, 100 * 2**30, 2**30),
        (256 * 2**20, 2**30, int(0.1 * 2**30)),
    ],
)
def test_arrays_do_not_fit_in_the_caches_but_in_memory(
    cache: int | None, available: int | None, expected: int
) -> None:
    assert array_bytes("cpu", cache, available) == expected
