"""Runs one guarded function in a fresh worker: model export, inspection, reference outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from backends.contract import Array
from harness.run.worker import Worker


def run_job(
    function: str,
    arguments: Mapping[str, Any],
    arrays: Mapping[str, Array] | None = None,
    *,
    threads: int = 1,
    deadline_s: float,
    phase: str,
    memory_limit: int | None = None,
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Call `function` ("package.module:name") in a worker of its own.

    It takes (arguments, arrays) and returns the same. Raises WorkerFailure like any request.
    """
    with Worker(function, threads=threads, memory_limit=memory_limit) as worker:
        return ask_job(worker, function, arguments, arrays, deadline_s=deadline_s, phase=phase)


def ask_job(
    worker: Worker,
    function: str,
    arguments: Mapping[str, Any],
    arrays: Mapping[str, Array] | None = None,
    *,
    deadline_s: float,
    phase: str,
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Like `run_job`, in a worker that is there already."""
    from harness.worker.tensors import pack, unpack

    head: dict[str, Any] = {"function": function, "arguments": dict(arguments)}
    fds: tuple[int, ...] = ()
    if arrays:
        fd, head["layout"] = pack(arrays)
        fds = (fd,)
    try:
        reply = worker.request("job", head, fds=fds, deadline_s=deadline_s, phase=phase)
    finally:
        for fd in fds:
            os.close(fd)
    results = unpack(reply.fds[0], reply.head["layout"]) if reply.fds else {}
    return reply.head["answer"], results
