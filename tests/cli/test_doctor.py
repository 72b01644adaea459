"""`harness doctor`: the real command, its sections, its document, its exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.checkup import Checkup, Noise, advise, exit_code, listen, to_json, usable, with_noise
from harness.engine_status import EngineStatus
from harness.environment.pressure import PressureDelta
from harness.environment.setting import Setting
from harness.environment.tempo import TempoDelta
from harness.errors import ExitCode
from harness.records import Warning_
from harness.run.observer import Silent
from harness.run.worker import WorkerFailure
from harness.show.doctor import (
    UNREADABLE,
    engine_rows,
    machine_rows,
    pressure_rows,
    print_checkup,
    software_rows,
)
from tests.factories import make_environment, make_machine

QUIET = PressureDelta(
    wall_s=1.0,
    cores=2,
    busy_s=0.01,
    own_cpu_s=0.0,
    steal_s=0.0,
    steal_ever_s=1.0,
    throttled_count=0,
    throttled_s=0.0,
    swap_pages=0,
    thermal_events=0,
    memory_available=4 * 2**30,
    load_1m=0.2,
    tempo=TempoDelta(frequencies_mhz=(2000.0, 2000.0)),
    setting=Setting(clocksource="tsc", cores=2, numa_nodes=1),
)
HERE = EngineStatus(
    "torch", "PyTorch", "torch", True, "2.13.0", ("cpu",), flavours={"": "", "cuda": "no GPU"}
)
MISSING = EngineStatus(
    "ort", "ONNX Runtime", "onnxruntime", False, reason="not installed", install="pip install x"
)
FAKE = EngineStatus("fake", "Fake", "", True, "1")


def checkup(*engines: EngineStatus, pressure: PressureDelta = QUIET) -> Checkup:
    machine = make_machine(governor="performance")
    software = make_environment(variables={})
    return Checkup(machine, software, engines, pressure, advise(machine, software, engines, pressure))


def printed(found: Checkup, *, terminal: bool) -> str:
    stream = io.StringIO()
    print_checkup(found, Console(file=stream, force_terminal=terminal, width=100, highlight=False))
    return stream.getvalue()


def doctor(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "harness", "doctor", *words),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command(tmp_path: Path) -> None:
    done = doctor("--json", "doctor.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for section in ("Machine", "Limits", "Software", "Engines", "Last 1.", "Advice"):
        assert f"\n{section}" in f"\n{done.stdout}"
    document = json.loads((tmp_path / "doctor.json").read_text())
    assert document["kind"] == "doctor"
    assert document["exit_code"] == 0
    assert document["machine"]["id"] in done.stdout
    engines = {engine["name"]: engine for engine in document["engines"]}
    assert engines["torch"]["available"] is True
    assert engines["torch"]["version"] in done.stdout
    assert document["pressure"]["wall_s"] >= 1.0
    assert "competing_share" in document["pressure"]
    for warning in document["warnings"]:
        assert warning["advice"] in done.stdout


def test_a_file_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    done = doctor("--json", "missing/doctor.json", folder=tmp_path)
    assert done.returncode == 2
    assert "missing/doctor.json" in done.stderr
    assert done.stdout == ""


def test_help_is_light() -> None:
    script = (
        "import sys, harness.cli.doctor; "
        "print([name for name in ('numpy', 'pydantic', 'rich', 'psutil') if name in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", script), check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("engines", "expected"),
    [
        ((HERE,), ExitCode.OK),
        ((MISSING, HERE), ExitCode.OK),
        ((MISSING,), ExitCode.NOTHING_MEASURED),
        ((FAKE, MISSING), ExitCode.NOTHING_MEASURED),
        ((), ExitCode.NOTHING_MEASURED),
    ],
)
def test_exit_code(engines: tuple[EngineStatus, ...], expected: ExitCode) -> None:
    assert exit_code(checkup(*engines)) == expected
    assert json.loads(to_json(checkup(*engines)))["exit_code"] == expected


def test_the_fake_engine_is_not_usable() -> None:
    assert usable([FAKE, HERE, MISSING]) == [HERE]


def test_a_quiet_machine_with_engines_needs_no_advice() -> None:
    assert checkup(HERE).warnings == ()
    assert "nothing seen" in printed(checkup(HERE), terminal=False)


@pytest.mark.parametrize(
    ("engines", "variables", "machine", "code"),
    [
        ((MISSING, FAKE), {}, {}, "no_engine"),
        ((replace(MISSING, name="torch"), replace(HERE, name="ort")), {}, {}, "no_reference"),
        ((HERE,), {"OMP_NUM_THREADS": "1"}, {}, "engine_variables"),
        ((HERE,), {}, {"cores_logical": 8, "cores_usable": 2}, "cores_limited"),
        ((HERE,), {}, {"governor": "powersave"}, "governor"),
    ],
)
def test_advice(
    engines: tuple[EngineStatus, ...], variables: dict[str, str], machine: dict[str, object], code: str
) -> None:
    here = make_machine(**{"governor": "performance", **machine})
    found = {w.code: w for w in advise(here, make_environment(variables=variables), engines, QUIET)}
    assert code in found
    assert found[code].advice
    assert set(found) <= {code, "no_reference"}


def test_the_missing_reference_tells_how_to_get_it() -> None:
    here = make_machine(governor="performance")
    torch = replace(MISSING, name="torch", install="pip install torch")
    (warning,) = advise(here, make_environment(variables={}), [torch, replace(HERE, name="ort")], QUIET)
    assert "pip install torch" in warning.advice


def test_what_disturbs_is_printed_with_advice() -> None:
    found = checkup(HERE, pressure=replace(QUIET, busy_s=1.0))
    text = printed(found, terminal=False)
    assert "50.0% of the CPU time" in text
    assert found.warnings[0].advice in text


@pytest.mark.parametrize("terminal", [False, True])
def test_engines_are_told_with_their_reasons(terminal: bool) -> None:
    text = printed(checkup(HERE, MISSING), terminal=terminal)
    for words in ("2.13.0 on cpu", "torch:cuda", "no GPU", "not installed", "pip install x"):
        assert words in text


def test_plain_text_has_no_control_sequences_and_no_broken_lines() -> None:
    long = replace(MISSING, reason="word " * 60)
    text = printed(checkup(HERE, long), terminal=False)
    assert "\x1b" not in text
    assert ("word " * 60).strip() in text


def test_markup_in_foreign_text_is_left_alone() -> None:
    odd = replace(MISSING, reason="[bold]needs[/bold] [/]")
    for terminal in (False, True):
        assert "[bold]needs[/bold] [/]" in printed(checkup(HERE, odd), terminal=terminal)


def test_what_cannot_be_read_is_said() -> None:
    unknown = dict(pressure_rows(PressureDelta(wall_s=1.0)))
    assert set(unknown.values()) == {UNREADABLE}
    machine = make_machine(memory=0, cpu_flags=(), caches={}, governor=None, microcode=None, gpus=())
    rows = dict(machine_rows(machine))
    for label in ("memory", "instruction sets", "caches", "governor", "microcode"):
        assert rows[label] == UNREADABLE


def test_commit_with_changes_is_told() -> None:
    rows = dict(software_rows(make_environment(dirty=True)))
    assert rows["commit"] == "8d1f5c0e6a1b on main, with changes"
    assert "none" in dict(software_rows(make_environment(commit=None)))["commit"]


def test_an_engine_without_a_reason_is_not_passed_over() -> None:
    assert engine_rows([replace(MISSING, reason="", install="")]) == [
        ("ort", "not available: no reason told")
    ]


def test_noise_is_measured_told_and_written(tmp_path: Path) -> None:
    done = doctor("--noise", "--noise-time", "5s", "--json", "doctor.json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\nNoise (measured for " in done.stdout
    assert "This machine can resolve ±" in done.stdout
    assert "watching the clock" in done.stderr
    noise = json.loads((tmp_path / "doctor.json").read_text())["noise"]
    assert noise["figures"]["usual"]["plan"]["budget_s"] == 50.0
    assert noise["figures"]["usual"]["share"] > 0
    assert len(noise["samples"]["trials"]) >= 3
    assert noise["samples"]["trials"][0]["blocks"][0]["samples_ns"]
    assert noise["samples"]["pressure"]["wall_s"] > 2


def test_noise_without_enough_time_is_refused(tmp_path: Path) -> None:
    done = doctor("--noise", "--noise-time", "2s", folder=tmp_path)
    assert done.returncode == 2
    assert "--noise-time 2s" in done.stderr
    assert done.stdout == ""


def test_without_noise_there_is_none(tmp_path: Path) -> None:
    assert json.loads(to_json(checkup(HERE)))["noise"] is None


def test_noise_that_cannot_be_measured_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise WorkerFailure("failed", "start", "OSError", "no worker process can be started: too many")

    monkeypatch.setattr("harness.checkup.measure_noise", refuse)
    noise = listen(make_machine(), 5.0, Silent())
    found = with_noise(checkup(HERE), noise)
    assert "no worker process can be started" in printed(found, terminal=False)
    assert json.loads(to_json(found))["noise"]["figures"] is None


def test_advice_of_the_longer_watch_replaces_that_of_the_second() -> None:
    short = Warning_(code="competing_load", message="10 %")
    kept = Warning_(code="governor", message="powersave")
    long = Warning_(code="competing_load", message="12 %")
    found = with_noise(replace(checkup(HERE), warnings=(short, kept)), Noise(None, None, (long,), "x"))
    assert found.warnings == (kept, long)
