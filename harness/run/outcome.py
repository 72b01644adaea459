"""What the end of a worker process means. Pure functions."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from harness.records import Status

_OUT_OF_MEMORY = re.compile(
    r"bad_alloc|out of memory|cannot allocate memory|MemoryError|failed to allocate|not enough memory",
    re.IGNORECASE,
)


MORE_MEMORY = "give it more with --memory-limit, or take a smaller batch"


@dataclass(frozen=True)
class Exit:
    """How a process ended: `code` as subprocess gives it (negative: a signal); `ours`: we killed it;
    `peak`: its largest resident size in bytes."""

    code: int
    ours: bool = False
    peak: int = 0

    @property
    def signal_name(self) -> str:
        """Name of the signal, or empty."""
        if self.code >= 0:
            return ""
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"


def means_out_of_memory(text: str) -> bool:
    """Whether an engine's message or last words say that memory ran out."""
    return bool(_OUT_OF_MEMORY.search(text))


def classify_exit(
    left: Exit, stderr_tail: str, memory_limit: int | None, kernel_oom: bool = False
) -> tuple[Status, str, str]:
    """Status, message and hint for a worker that died without answering.

    `kernel_oom`: the kernel killed a process for want of memory while the worker lived.
    """
    near_limit = bool(memory_limit and left.peak > 0.9 * memory_limit)
    killed = left.signal_name == "SIGKILL" and not left.ours
    if means_out_of_memory(stderr_tail[-4000:]) or near_limit or (killed and kernel_oom):
        words = "the worker ran out of memory"
        if killed:
            words += " and was killed by SIGKILL"
        return "out_of_memory", words, MORE_MEMORY
    if killed:
        return "crashed", "the worker was killed by SIGKILL from outside", "run the same command again"
    if left.signal_name:
        return (
            "crashed",
            f"the worker crashed with {left.signal_name}",
            "the engine's last words are in stderr_tail of the JSON result",
        )
    return "crashed", f"the worker left with exit code {left.code} without answering", ""
