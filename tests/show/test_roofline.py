"""Ceilings as text: what gave them, their age, doubts, what is missing, and the model under them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from harness.judge.roofline import AtBest
from harness.records.work import Ceiling, Ceilings, Traffic, Work
from harness.show.roofline import ModelAtBest, RooflineDocument, age, print_ceilings, rate, to_json, unit_of
from tests.factories import make_machine

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def ceiling(precision: str = "fp32", **overrides: Any) -> Ceiling:
    fields: dict[str, Any] = {
        "kind": "compute" if precision else "memory",
        "precision": precision,
        "rate": 419e9 if precision else 32.1e9,
        "typical": 399e9 if precision else 32e9,
        "rounds": 6,
        "implementation": "ort 1.31.1",
        "kernel": "fp32 product 512×512×512" if precision else "copy of 128 MiB arrays",
        "threads": 2,
        "settled": True,
        "tried": (),
        "measured_at": NOW - timedelta(hours=5),
    }
    return Ceiling(**{**fields, **overrides})


def ceilings(**overrides: Any) -> Ceilings:
    fields: dict[str, Any] = {
        "machine": make_machine(),
        "device": "cpu",
        "threads": 2,
        "compute": {"fp32": ceiling()},
        "memory": ceiling(""),
    }
    return Ceilings(**{**fields, **overrides})


def model(**overrides: Any) -> ModelAtBest:
    work = Work(
        batch=8,
        dims={"sequence": 128},
        macs=4_089_184_256,
        plain=1,
        weights=Traffic(float_elements=25_000_000),
        inputs=Traffic(),
        outputs=Traffic(),
        activations=Traffic(float_elements=50_000_000),
        by_operator={},
        uncounted={"Loop": 1},
        uncounted_why={"Loop": "how often its body runs depends on the data"},
    )
    best = {
        "fp32": AtBest(seconds=0.0195, bound="compute", notes=("a note",)),
        "bf16": AtBest(reason="not measured"),
    }
    return ModelAtBest(**{"name": "resnet50", "work": work, "best": best, **overrides})


def printed(found: Ceilings, at_best: ModelAtBest | None = None, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=200, highlight=False)
    print_ceilings(found, at_best, console, NOW)
    return stream.getvalue().replace("\u00a0", " ")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_ceiling_is_told_with_what_gave_it_and_its_age(terminal: bool) -> None:
    text = printed(ceilings(), terminal=terminal)
    for words in (
        "419 GFLOP/s",
        "32.1 GB/s",
        "−4.8%",
        "ort 1.31.1, fp32 product",
        "5 hours ago",
        "2 threads",
    ):
        assert words in text
    assert "warning" not in text


def test_doubts_and_what_is_missing_are_told() -> None:
    from harness.judge.ceiling import doubts

    doubted = doubts(settled=False, spread=0.5, canary_spread=0.0, pressure=None, machine=make_machine())
    text = printed(ceilings(memory=ceiling("", warnings=doubted), missing={"tf32": "no library [b]"}))
    assert "memory: The best rate had not been confirmed" in text
    assert "50%" in text
    assert text.count("--fresh") == 1
    assert "tf32: n/a, no library [b]" in text


def test_nothing_measured_prints_reasons_only() -> None:
    text = printed(ceilings(memory=None, compute={}, missing={"memory": "it failed"}))
    assert "memory: n/a, it failed" in text
    assert "Nothing to list" not in text


def test_a_model_is_told_with_its_work_and_least_time() -> None:
    text = printed(ceilings(), model())
    for words in (
        "resnet50, batch 8, sequence 128",
        "4.09 G",
        "100 MB",
        "300 MB",
        "19.5 ms",
        "arithmetic",
        "bf16: n/a, not measured",
        "a note",
        "Loop is not counted: how often",
    ):
        assert words in text


def test_a_model_that_could_not_be_counted_is_told() -> None:
    assert "resnet50: n/a, it has no file" in printed(ceilings(), model(work=None, reason="it has no file"))


def test_the_document_comes_back_whole() -> None:
    found = RooflineDocument.model_validate_json(to_json(ceilings(), model()))
    assert found == RooflineDocument(ceilings=ceilings(), model=model())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.184e11, "218 GFLOP/s"),
        (1.67e12, "1.67 TFLOP/s"),
        (5.0, "5.00 FLOP/s"),
        (0.0, "0 FLOP/s"),
        (None, "n/a"),
    ],
)
def test_rates(value: float | None, text: str) -> None:
    assert rate(value, unit_of("fp32")).replace("\u00a0", " ") == text
    assert unit_of("int8") == "OP/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (59, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (200_000, "2 days ago")],
)
def test_age(seconds: float, text: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == text
    assert age(NOW + timedelta(seconds=90), NOW) == "just now"
