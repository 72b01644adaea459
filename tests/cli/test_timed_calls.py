"""The timed call is the checked call: engines that are fast by leaving work out, and right when they are looked at.

All are in one comparison: each is judged by itself, and the honest one has to win whatever the others do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.judge.document import ComparisonDocument
from harness.judge.load.curve import ThroughputDocument
from harness.records import Result
from tests.cli.command import Ended, Harness

HONEST = "fake?time_us=400"
IDLE = "its timed calls do not do the work: "
WRONG = {
    "cache": f"{IDLE}a call on inputs never seen takes",
    "cache_binding": f"{IDLE}a call on inputs never seen takes",
    "late": f"{IDLE}",
    "cache_address": "output logits on normal:0 turned",
    "off_by_one": "output logits on normal:0 turned",
    "wrong_later": "",
    "wrong_at_times": "",
    "wrong_timed": "output logits on normal:0",
    "first_of_batch": "output logits on normal:0",
}
"""Fault -> what the verdict says; nothing where it depends on which call is the first wrong one that is looked at.

One input set: whoever repeats old outputs gives the right ones in every block.
"""


def faulty(fault: str) -> str:
    after = "&fault_after=40" if fault == "wrong_later" else ""
    return f"fake?fault={fault}{after}&time_us=400"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Ended, Harness]:
    harness = Harness(tmp_path_factory.mktemp("timed"), cache)
    done = harness(
        *("compare", HONEST, *map(faulty, WRONG), "--model", "tiny-cnn", "--batch", "2", "--threads", "1"),
        *("--budget", "4s", "--max-trials", "1", "--warmup-max", "200ms", "--input-set", "normal:0"),
        *("--json", "record.json", "--html", "page.html"),
        timeout=400,  # ten engines
    )
    return done, harness


@pytest.mark.parametrize("fault", WRONG)
def test_the_verdict_of_the_faulty_engine_says_why(told: tuple[Ended, Harness], fault: str) -> None:
    done, harness = told
    stored: Result = harness.results()[faulty(fault)]
    assert stored.status == "measured" and stored.parity is not None
    assert stored.parity.status == "fail"
    assert WRONG[fault] in stored.parity.reason
    assert WRONG[fault] in done
    if WRONG[fault].startswith(IDLE):
        assert {output.status for output in stored.parity.outputs} == {"pass"}
    if fault in ("cache_address", "off_by_one"):
        seen = {output.input_set: output.status for output in stored.parity.outputs}
        assert seen == {"normal:0": "pass", "normal:0 turned": "fail"}


def test_the_honest_engine_alone_is_right_and_wins(told: tuple[Ended, Harness]) -> None:
    done, harness = told
    assert done.code == 1
    honest = harness.results()[HONEST]
    assert honest.parity is not None and honest.parity.status == "pass", honest.parity
    assert f"{HONEST} is the only one measured and right." in done
    document: ComparisonDocument = harness.document()
    assert document.exit_code == 1
    (group,) = document.groups
    assert [c.contender for c in group.contenders if c.sound] == [HONEST]


def test_no_speed_is_told_without_its_verdict(told: tuple[Ended, Harness]) -> None:
    _, harness = told
    (group,) = harness.document().groups
    for pair in group.pairs:
        for name in {pair.a, pair.b} - {HONEST}:
            assert name in pair.against, pair
    page = (harness.folder / "page.html").read_text()
    assert "not do the work" in page


def test_fresh_calls_take_as_long_as_repeated_ones_only_where_work_is_done(
    told: tuple[Ended, Harness],
) -> None:
    _, harness = told
    (group,) = harness.document().groups
    ratio = {c.contender: c.fresh_ratio for c in group.contenders}
    assert ratio[faulty("cache")].low > 2
    assert ratio[faulty("cache_binding")].low > 2
    for fault in ("wrong_later", "off_by_one"):
        assert ratio[faulty(fault)].low < 2


def test_history_and_reports_keep_the_verdict(told: tuple[Ended, Harness]) -> None:
    _, harness = told
    shown = harness("history", "--model", "tiny-cnn", "--json", "points.json")
    assert shown.code == 0
    points = json.loads((harness.folder / "points.json").read_text())["points"]
    assert {p["contender"]: p["parity"] for p in points} == {
        HONEST: "pass",
        **{faulty(fault): "fail" for fault in WRONG},
    }
    told_again = harness("report", "record.json", "--json", "again.json", "--quiet")
    assert told_again.code == 0, told_again.text
    assert harness.document("again.json").exit_code == 1
    assert f"{HONEST} is the only one measured and right." in told_again
    assert harness.document("again.json").groups[0].headline == harness.document().groups[0].headline


SUITE = """
name: timed
schema: 1
models: [tiny-cnn]
contenders: ["fake?time_us=400", "{faulty}"]
variants: {{batch: [1], threads: [1]}}
settings: {{budget: 1s, trials: {{min: 1, max: 1}}, inputs: ["normal:0"]}}
gates:
  - parity: pass
"""


def test_a_suite_with_a_gate_on_parity_fails(harness: Harness) -> None:
    path = harness.folder / "timed.yaml"
    path.write_text(SUITE.format(faulty=faulty("cache")))
    done = harness("run", path, "--json", "record.json")
    assert done.code == 1, done.text
    gates: list[dict[str, Any]] = harness.json("record.json")["gates"]
    (gate,) = gates
    assert gate["status"] == "fail" and gate["blocks"]
    assert "do not do the work" in gate["words"]


def test_under_load_an_idle_engine_has_no_best_point(harness: Harness) -> None:
    done = harness(
        *("throughput", "fake?servers=2&time_us=4000", "fake?fault=cache&servers=2&time_us=4000"),
        *("fake?fault=cache_address&servers=2&time_us=4000", "--model", "tiny-cnn", "--threads", "1"),
        *("--concurrency", "2", "--budget", "3s", "--min-trials", "1", "--max-trials", "1"),
        *("--warmup-max", "100ms", "--input-set", "normal:0", "--input-set", "normal:1"),
        *("--json", "record.json", "--quiet"),
    )
    assert done.code == 1, done.text
    document = ThroughputDocument.model_validate_json((harness.folder / "record.json").read_bytes())
    honest, cache, address = document.curves
    assert honest.best is not None and cache.best is None and address.best is None
    assert "do not do the work" in cache.points[0].rejected
    assert "computes the wrong thing" in address.points[0].rejected
    assert document.headline.startswith("fake?servers=2&time_us=4000: ")
    assert "it computes the right thing" in document.headline
