"""The console command as a user runs it: a process of its own, with its own database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from harness.judge.document import ComparisonDocument
from harness.records import Result
from results.store import open_store

QUICK = (
    *("--model", "tiny-cnn", "--threads", "1", "--budget", "400ms", "--max-trials", "1"),
    *("--warmup-max", "300ms", "--input-set", "normal:0", "--input-set", "normal:1"),
)
"""One short trial on the smallest model."""


@dataclass(frozen=True)
class Ended:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything printed, in one line: where a line was broken is of no interest."""
        return " ".join(f"{self.out} {self.err}".split())

    def __contains__(self, words: str) -> bool:
        return words in self.text


@dataclass
class Harness:
    """Runs commands in `folder`, on the database there. `plugins` are folders with plug-in distributions."""

    folder: Path
    cache: Path
    plugins: tuple[Path, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def db(self) -> Path:
        return self.folder / "harness.db"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")},
            "HARNESS_DB": str(self.db),
            "HARNESS_CACHE": str(self.cache),
            "PYTHONPATH": os.pathsep.join(map(str, self.plugins)),
            "TERM": "xterm",
            **self.variables,
        }

    def __call__(self, *arguments: object, timeout: float = 120, **options: Any) -> Ended:
        """Run `harness ARGUMENTS` to its end. No command ever shows a traceback."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            **options,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in ended, ended.text
        return ended

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-P", "-m", "harness", *map(str, arguments)]

    def start(self, *arguments: object) -> Running:
        """Start `harness ARGUMENTS` and go on."""
        return Running(self.command(*arguments), self.folder, self.environment)

    def results(self) -> dict[str, Result]:
        """Results of the newest run in the database by contender."""
        with open_store(str(self.db), create=False) as store:
            runs = store.runs(1)
            return {r.case.contender.text: r for r in store.results_of(runs[0].id)} if runs else {}

    def stored(self) -> list[Result]:
        """All results of the newest run in the database."""
        with open_store(str(self.db), create=False) as store:
            return list(store.results_of(store.runs(1)[0].id))

    def runs(self) -> list[Any]:
        """Summaries of all runs in the database, newest first; none when there is no database."""
        if not self.db.exists():
            return []
        with open_store(str(self.db), create=False) as store:
            return store.runs(100)

    def json(self, name: str) -> Any:
        """A JSON file in the folder."""
        return json.loads((self.folder / name).read_text())

    def document(self, name: str = "record.json") -> ComparisonDocument:
        """What `--json NAME` wrote."""
        return ComparisonDocument.model_validate_json((self.folder / name).read_bytes())

    def builds(self) -> list[Path]:
        """Folders with artefacts that runs left behind."""
        return list((self.cache / "builds").glob("*"))


class Running:
    """A command that is running: its lines are read as they come, and its descendants are known."""

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self._out = (folder / "running.out").open("w+")
        self._err = (folder / "running.err").open("w+")
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=self._out, stderr=self._err, text=True
        )

    def wait_for(self, words: str, seconds: float = 60) -> None:
        """Wait until `words` were printed to stderr."""
        wait_until(lambda: words in self._read(self._err), seconds, lambda: self._read(self._err))

    def children(self) -> list[psutil.Process]:
        """All its descendants, at this moment."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 60) -> Ended:
        """Wait for the end."""
        code = self.process.wait(seconds)
        ended = Ended(code, self._read(self._out), self._read(self._err))
        self._out.close()
        self._err.close()
        assert "Traceback" not in ended, ended.text
        return ended

    def _read(self, file: IO[str]) -> str:
        return Path(file.name).read_text(errors="replace")


def wait_until(
    condition: Callable[[], bool], seconds: float = 30, explain: Callable[[], str] = lambda: ""
) -> None:
    """Wait for something to become true; fails when it does not in `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen in time: {explain()}"
        time.sleep(0.02)


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that still run (a dead one whose parent has not looked yet does not)."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def shared_memory() -> set[str]:
    """Names in the system's shared memory."""
    folder = Path("/dev/shm")
    return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()


def control_characters(text: str) -> set[str]:
    """Characters that would move a terminal's cursor or colour it."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"}
