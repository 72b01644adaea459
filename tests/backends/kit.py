"""Runs the conformance kit on one adapter in a process of its own, as a third party would."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class KitRun:
    exit_code: int
    passed: set[str]
    failed: dict[str, str]
    unsupported: dict[str, str]
    text: str


def run_kit(backend: str, folder: Path, *arguments: str) -> KitRun:
    report = folder / "kit.xml"
    done = subprocess.run(
        [sys.executable, "-m", "backends.conformance", backend, "-q", f"--junitxml={report}", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    passed, failed, unsupported = set(), {}, {}
    cases = ElementTree.parse(report).iter("testcase") if report.exists() else []
    for case in cases:
        name = case.attrib["name"]
        problem = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if problem is not None:
            failed[name] = problem.attrib.get("message", "")
        elif skipped is not None:
            unsupported[name] = skipped.attrib.get("message", "")
        else:
            passed.add(name)
    return KitRun(done.returncode, passed, failed, unsupported, done.stdout + done.stderr)
