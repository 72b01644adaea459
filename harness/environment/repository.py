"""The git repository of a folder: commit, branch, and whether tracked files differ from the commit."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 5.0


@dataclass(frozen=True)
class Repository:
    """All None where the folder is in no repository, or git is missing, refuses, or takes longer than 5 s."""

    commit: str | None = None
    branch: str | None = None
    """None as well when no branch is checked out."""
    dirty: bool | None = None
    """Tracked files differ from the commit; files that git does not track do not count."""


def repository(folder: Path, command: str = "git") -> Repository:
    """State of the repository that `folder` is in; nothing in it is changed."""
    # Without optional locks, status does not rewrite the index beside a git command of the user's.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    question = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    try:
        done = subprocess.run(
            (command, "-c", "core.fsmonitor=false", *question),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Repository()
    return parse(done.stdout) if done.returncode == 0 else Repository()


def parse(status: str) -> Repository:
    """Answer of `git status --porcelain=v2 --branch` as a `Repository`."""
    headers: dict[str, str] = {}
    dirty = False
    for line in status.splitlines():
        if line.startswith("# "):
            key, _, value = line[2:].partition(" ")
            headers[key] = value
        elif line:
            dirty = True
    commit, branch = headers.get("branch.oid"), headers.get("branch.head")
    return Repository(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        dirty=dirty if headers else None,
    )
