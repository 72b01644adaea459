"""`harness run`: mistakes in a suite file are told with line and key; gates decide the exit code."""

from __future__ import annotations

import re

import pytest

from tests.cli.command import Harness

SUITE = """\
schema: 1
name: tiny
models: [tiny-cnn]
contenders: [ort, honest]
variants: {batch: [1], threads: [1]}
settings: {budget: 1s, trials: {min: 2, max: 2}, inputs: ["normal:0"], warmup_max: 500ms}
gates:
  - measured: all
"""
LAUGHS = "\n".join(
    ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)), "name: *a39"]
)

MISTAKES = {
    "typo": (
        SUITE.replace("contenders:", "contendrs:"),
        "suite.yaml:4:1: contendrs: unknown key; did you mean",
    ),
    "duplicate": (
        SUITE.replace("name: tiny", "name: tiny\nname: b"),
        "suite.yaml:3:1: name: the key is here twice",
    ),
    "type": (
        SUITE.replace("budget: 1s", "budget: soon"),
        "suite.yaml:6:12: settings.budget: expected a duration",
    ),
    "list": (SUITE.replace("batch: [1]", "batch: [one]"), "suite.yaml:5:20: variants.batch[0]: "),
    "contender": (SUITE.replace("honest", "ort@fp99"), "suite.yaml:4:19: contenders[1]: "),
    "model": (SUITE.replace("tiny-cnn", "tinycnn"), "suite.yaml:3:10: models[0]: "),
    "laughs": (LAUGHS, "the anchor '&a0' is not allowed"),
    "syntax": (SUITE + "  - [", "suite.yaml:9:"),
    "object": ("!!python/object/apply:os.system ['touch pwned']", "suite.yaml:1:1"),
    "empty": ("", "suite.yaml: the file is empty"),
    "scalar": ("just words", "suite.yaml: expected keys such as"),
    "binary": ("\x00\x01", "suite.yaml:"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_told_with_its_place(kind: str, harness: Harness) -> None:
    text, words = MISTAKES[kind]
    (harness.folder / "suite.yaml").write_text(text)
    done = harness("run", "suite.yaml", "--json", "record.json")
    assert done.code == 2
    assert words in done
    assert not (harness.folder / "pwned").exists()
    assert not harness.db.exists()


def test_many_mistakes_do_not_scroll_the_first_away(harness: Harness) -> None:
    (harness.folder / "suite.yaml").write_text(LAUGHS)
    done = harness("run", "suite.yaml")
    mistakes = [line for line in done.err.splitlines() if "suite.yaml:" in line]
    assert "suite.yaml:1:5: a0: the anchor '&a0'" in mistakes[0]
    assert len(mistakes) == 20
    assert re.search(r"^and \d+ more$", done.err, re.MULTILINE), done.err


@pytest.mark.parametrize("kind", ["missing", "folder", "unknown"])
def test_a_suite_that_is_not_there(kind: str, harness: Harness) -> None:
    name = {"missing": "suite.yaml", "folder": "some.yaml", "unknown": "smok"}[kind]
    (harness.folder / "some.yaml").mkdir()
    done = harness("run", name)
    assert done.code == 2
    assert name in done
    if kind == "unknown":
        assert "Did you mean 'smoke'?" in done


def test_a_dry_run_measures_nothing_and_writes_nothing(harness: Harness) -> None:
    (harness.folder / "suite.yaml").write_text(SUITE)
    done = harness("run", "suite.yaml", "--dry-run")
    assert done.code == 0
    assert "tiny-cnn | batch 1 | threads 1 | single_stream" in done and "2 cases in 1 group" in done
    assert sorted(path.name for path in harness.folder.iterdir()) == ["suite.yaml"]


def test_a_suite_whose_gates_hold_ends_with_0(harness: Harness) -> None:
    gates = "  - memory: {contender: ort, at_most: 4GiB}\n"
    (harness.folder / "suite.yaml").write_text(SUITE + gates)
    done = harness("run", "suite.yaml", "--json", "record.json")
    assert done.code == 0, done.text
    assert "pass every contender" in done
    assert "pass peak memory of ort" in done
    assert harness.document().exit_code == 0
    run = harness.runs()[0]
    assert (run.status, run.exit_code, run.results) == ("finished", 0, 2)


def test_a_gate_that_fails_ends_with_1_and_says_why(harness: Harness) -> None:
    gates = "  - latency: {contender: honest, percentile: p50, at_most: 1us}\n"
    (harness.folder / "suite.yaml").write_text(SUITE + gates)
    done = harness("run", "suite.yaml", "--quiet")
    assert done.code == 1
    assert "fail p50 of honest ≤ 1 µs: " in done
    assert harness.runs()[0].exit_code == 1


def test_a_gate_on_a_contender_that_failed_does_not_pass(harness: Harness) -> None:
    gates = "  - latency: {contender: segfaults, percentile: p50, at_most: 1h}\n"
    (harness.folder / "suite.yaml").write_text(SUITE.replace("honest", "segfaults") + gates)
    done = harness("run", "suite.yaml")
    assert done.code == 1
    assert "unknown p50 of segfaults" in done or "fail p50 of segfaults" in done
    assert "SIGSEGV" in done
