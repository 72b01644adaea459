"""What a worker's end means, by table."""

from __future__ import annotations

import pytest

from harness.run.outcome import Exit, classify_exit, means_out_of_memory

GIB = 2**30


@pytest.mark.parametrize(
    ("left", "tail", "limit", "oom", "status", "words"),
    [
        (Exit(-11), "", GIB, False, "crashed", "SIGSEGV"),
        (Exit(-6), "terminate called: std::bad_alloc", GIB, False, "out_of_memory", "ran out of memory"),
        (Exit(-6), "", GIB, False, "crashed", "SIGABRT"),
        (Exit(-9), "", GIB, True, "out_of_memory", "killed by SIGKILL"),
        (Exit(-9), "", GIB, False, "crashed", "from outside"),
        (Exit(-9, peak=GIB), "", GIB, False, "out_of_memory", "ran out of memory"),
        (Exit(3), "", None, False, "crashed", "exit code 3"),
        (Exit(-99), "", None, False, "crashed", "signal 99"),
    ],
)
def test_classify_exit(left: Exit, tail: str, limit: int | None, oom: bool, status: str, words: str) -> None:
    found, message, _ = classify_exit(left, tail, limit, oom)
    assert found == status
    assert words in message


@pytest.mark.parametrize("text", ["std::bad_alloc", "CUDA out of memory", "Cannot allocate memory"])
def test_engines_say_out_of_memory_in_many_ways(text: str) -> None:
    assert means_out_of_memory(text)
    assert not means_out_of_memory("Non-zero status code returned while running Add node")
