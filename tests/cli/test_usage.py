"""Bad flags are named with their value, help has examples, lists and the doctor answer."""

from __future__ import annotations

import pytest

from tests.cli.command import Harness, control_characters

COMMANDS = ["compare", "run", "history", "report", "list", "doctor"]

COMPARE = ("compare", "ort", "--model", "tiny-cnn")
BAD = {
    "batch 0": ((*COMPARE, "--batch", "0"), "'--batch' / '-b': 0"),
    "budget soon": ((*COMPARE, "--budget", "soon"), "'--budget': expected a duration such as"),
    "margin": ((*COMPARE, "--margin", "200%"), "'--margin': a share lies between 0 and 1"),
    "margin 2": ((*COMPARE, "--margin", "2"), 'write "2%" for 2 in a hundred'),
    "confidence": ((*COMPARE, "--confidence", "0"), "'--confidence': a share lies between 0 and 1"),
    "memory": ((*COMPARE, "--memory-limit", "10q"), "'--memory-limit': expected a size such as"),
    "trials": (
        (*COMPARE, "--min-trials", "5", "--max-trials", "2"),
        "--min-trials 5 is more than --max-trials 2",
    ),
    "option": ((*COMPARE, "--frobnicate"), "'--frobnicate'"),
    "near option": ((*COMPARE, "--bugdet", "1s"), "'--budget'"),
    "dim": ((*COMPARE, "--dim", "x"), "--dim 'x' is not NAME=SIZE"),
    "dim twice": ((*COMPARE, "--dim", "x=1", "--dim", "x=2"), "--dim names 'x' twice"),
    "input set": ((*COMPARE, "--input-set", "nromal:0"), "did you mean 'normal:SEED'?"),
    "no contender": (("compare", "--model", "tiny-cnn"), "Missing argument 'CONTENDER...'"),
    "no model": (("compare", "ort"), "Missing option '--model'"),
    "empty contender": (("compare", "", "--model", "tiny-cnn"), "a contender is empty"),
    "precision": (
        ("compare", "ort@fp99", "--model", "tiny-cnn"),
        "contender 'ort@fp99': unknown precision 'fp99'",
    ),
    "comma": (("compare", "ort,torch", "--model", "tiny-cnn"), "separate contenders with spaces"),
    "no value": (("compare", "ort?x", "--model", "tiny-cnn"), "option 'x' has no value"),
    "no suite": (("run",), "Missing argument 'SUITE'"),
    "list": (("list", "engines"), "'engines' is not one of"),
    "database kind": ((*COMPARE, "--db", "postgresql://host/x"), "--db 'postgresql://host/x': this release"),
    "command": (("compar", "ort"), "No such command 'compar'; did you mean 'compare'?"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_usage_names_flag_and_value(kind: str, harness: Harness) -> None:
    arguments, words = BAD[kind]
    done = harness(*arguments)
    assert done.code == 2
    assert words in done
    assert done.out == ""
    assert list(harness.folder.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_and_exit_codes(command: str, harness: Harness) -> None:
    done = harness(command, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: harness {command}")
    assert "Examples:" in done and f"harness {command}" in done.out.split("Examples:")[1]


def test_help_of_all_lists_every_command(harness: Harness) -> None:
    done = harness("--help")
    assert done.code == 0
    assert all(f"\n  {command} " in done.out for command in COMMANDS)
    assert "Exit codes" in done
    assert harness().code == 2
    assert harness("--version").out.startswith("harness, version ")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("backends", ["ort", "openvino", "torch", "trt", "pip install tensorrt"]),
        ("models", ["tiny-cnn", "resnet50", "float32"]),
        ("suites", ["quick", "smoke", "scaling"]),
        ("scenarios", ["single_stream", "closed_loop"]),
        ("pipelines", ["classify", "detect", "embed"]),
    ],
)
def test_lists(what: str, words: list[str], harness: Harness) -> None:
    harness.plugins = ()
    done = harness("list", what, "--json", "list.json")
    assert done.code == 0
    assert all(word in done.out for word in words)
    assert not control_characters(done.out)
    rows = harness.json("list.json")
    assert all(any(word in value for row in rows for value in row.values()) for word in words)


def test_the_doctor_finds_engines_and_ends_with_0(harness: Harness) -> None:
    harness.plugins = ()
    done = harness("doctor", "--json", "doctor.json", "--quiet")
    assert done.code == 0
    assert done.out == ""
    found = {engine["name"]: engine for engine in harness.json("doctor.json")["engines"]}
    assert found["ort"]["available"] and not found["trt"]["available"]


def test_one_trial_flag_gives_way_to_the_other(harness: Harness) -> None:
    fast = ("--threads", "1", "--budget", "1s", "--warmup-max", "100ms", "--input-set", "normal:0")
    assert harness("compare", "honest", "--model", "tiny-cnn", *fast, "--max-trials", "1").code == 0
    settings = harness.results()["honest"].settings
    assert (settings.min_trials, settings.max_trials) == (1, 1)
