"""The default number of threads."""

from __future__ import annotations

from harness.environment.limits import cores_usable
from harness.environment.sources import Sources


def usable_cores() -> int:
    """CPUs that this process may keep busy (affinity and cgroup quota); at least 1."""
    return cores_usable(Sources())
