"""What goes where: the answer to stdout without control characters, progress to stderr, a bar on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess

from tests.cli.command import QUICK, Harness, control_characters


def test_quiet_prints_the_final_answer_only(harness: Harness) -> None:
    done = harness("compare", "ort", "gives-nan", "segfaults", *QUICK, "--quiet")
    assert done.code == 1
    assert done.err == ""
    assert done.out.splitlines() == [
        "tiny-cnn, batch 1, 1 thread: gives-nan computes the wrong thing. ort is the only one measured and right.",
        "segfaults: crashed in first inference: the worker crashed with SIGSEGV",
    ]


def test_quiet_still_says_what_is_wrong(harness: Harness) -> None:
    done = harness("compare", "ort", "--model", "nosuch.onnx", "--quiet")
    assert done.code == 2
    assert "there is no model file nosuch.onnx" in done.err


def test_away_from_a_terminal_there_are_no_control_characters(harness: Harness) -> None:
    done = harness("compare", "ort", "honest", *QUICK, "--budget", "1s")
    assert done.code == 0
    assert not control_characters(done.out + done.err)
    assert re.search(r"^\[[01] s of 1 s, [01] s left\] trial 1: starting ", done.err, re.MULTILINE)
    assert "latency p50" in done.out and "latency p50" not in done.err
    assert f"Stored as run {harness.runs()[0].id[:8]} in {harness.db}" in done.out


def test_on_a_terminal_a_bar_is_drawn(harness: Harness) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        harness.command("compare", "ort", "honest", *QUICK),
        cwd=harness.folder,
        env=harness.environment | {"COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            shown += os.read(ours, 65_536)
        except OSError:  # the other side of the terminal is closed
            break
    os.close(ours)
    assert process.wait(60) == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "━" in text and "%" in text and "starting honest" in text
    assert "latency p50" in text


def test_a_reader_that_goes_away_loses_nothing_but_text(harness: Harness) -> None:
    process = subprocess.Popen(
        harness.command("compare", "ort", "gives-nan", *QUICK, "--json", "record.json"),
        cwd=harness.folder,
        env=harness.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 1
    assert "Traceback" not in errors and "BrokenPipe" not in errors
    assert harness.document().exit_code == 1
    assert harness.runs()[0].status == "finished"


def test_a_closed_stdout_does_not_stop_the_measurement(harness: Harness) -> None:
    command = " ".join(harness.command("compare", "honest", *QUICK))
    done = subprocess.run(
        ["sh", "-c", f"exec {command} >&-"],
        cwd=harness.folder,
        env=harness.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert harness.results()["honest"].status == "measured"
