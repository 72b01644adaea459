"""What was measured can be shown again: --from-history, report, history."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import QUICK, Ended, Harness


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, cache: Path, engines: Path) -> tuple[Harness, Ended]:
    """A folder in which two comparisons were made: a good one, and then one with a wrong engine."""
    harness = Harness(tmp_path_factory.mktemp("stored"), cache, (engines,))
    good = harness("compare", "ort", "honest", *QUICK, "--json", "good.json")
    assert good.code == 0, good.text
    assert harness("compare", "ort", "gives-nan", *QUICK).code == 1
    return harness, good


def answer(done: Ended) -> list[str]:
    """The lines of the answer: without where it came from and where it was stored, and what --json says."""
    skipped = ("From run", "Stored as", "Record with", "Measured in")
    return [line for line in done.out.splitlines() if line and not line.startswith(skipped)]


def test_from_history_shows_the_same_without_measuring(measured: tuple[Harness, Ended]) -> None:
    harness, good = measured
    before = len(harness.runs())
    done = harness(
        "compare", "ort", "honest", "--model", "tiny-cnn", "--from-history", "--json", "again.json"
    )
    assert done.code == 0
    assert answer(done) == answer(good)
    assert "trial 1" not in done.err
    assert harness.document("again.json").results == harness.document("good.json").results
    assert len(harness.runs()) == before


def test_from_history_keeps_the_exit_code(measured: tuple[Harness, Ended]) -> None:
    harness, _ = measured
    done = harness("compare", "ort", "gives-nan", "--model", "tiny-cnn", "--from-history", "--quiet")
    assert done.code == 1
    assert done.out.splitlines() == [
        "tiny-cnn, batch 1, 1 thread: gives-nan computes the wrong thing. ort is the only one measured and right."
    ]


def test_from_history_says_what_there_is_instead(measured: tuple[Harness, Ended]) -> None:
    harness, _ = measured
    done = harness("compare", "ort", "openvino", "--model", "tiny-cnn", "--from-history")
    assert done.code == 2
    assert "has no comparison of ort, openvino on tiny-cnn, batch 1" in done
    assert "it has: " in done and "honest (" in done
    done = harness("compare", "ort", "--model", "resnet50", "--from-history")
    assert done.code == 2 and "it has: nothing" in done


def test_from_history_exports_one_comparison(measured: tuple[Harness, Ended]) -> None:
    harness, _ = measured
    flags = ("--from-history", "--batch", "1", "--batch", "2", "--json", "two.json")
    done = harness("compare", "ort", "honest", "--model", "tiny-cnn", *flags)
    assert done.code == 2
    assert "--json two.json with --from-history takes one comparison, these are 2" in done
    assert done.out == ""


def test_history_and_report_after_comparisons(measured: tuple[Harness, Ended]) -> None:
    harness, good = measured
    done = harness("history")
    assert done.code == 0
    assert all(run.id[:8] in done.out for run in harness.runs())
    done = harness("history", "--model", "tiny-cnn", "--contender", "ort", "--json", "history.json")
    assert done.code == 0
    assert len(harness.json("history.json")["points"]) == 2
    done = harness("report", harness.runs()[1].id[:8], "--html", "report.html", "--json", "report.json")
    assert done.code == 0
    assert harness.document("report.json").results == harness.document("good.json").results
    assert (harness.folder / "report.html").read_text().startswith("<!")
    done = harness("report", "good.json")
    assert done.code == 0
    assert answer(done) == answer(good)


@pytest.mark.parametrize(
    "command", [("report",), ("compare", "ort", "--model", "tiny-cnn", "--from-history")]
)
def test_a_missing_database_is_named(command: tuple[str, ...], harness: Harness) -> None:
    done = harness(*command, "--db", "nothing.db")
    assert done.code == 2
    assert "nothing.db" in done.err and "Measure something first" in done.err
    assert list(harness.folder.iterdir()) == []


def test_an_empty_history_is_no_error_but_an_empty_report_is(harness: Harness) -> None:
    from results.store import open_store

    open_store(str(harness.db)).close()
    assert harness("history").code == 0
    done = harness("report")
    assert done.code == 2
    assert "holds no run with results" in done.err
    done = harness("history", "--db", "nothing.db")
    assert done.code == 2
    assert "nothing.db" in done.err
