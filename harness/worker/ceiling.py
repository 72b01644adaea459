"""Jobs that time kernels of `backends.ceilings`; a worker keeps those that it prepared until it drops them."""

from __future__ import annotations

import gc
import time
from typing import Any

from backends import ceilings
from backends.ceilings import Kernel
from backends.contract import Array

_held: dict[str, Kernel] = {}
Answer = tuple[dict[str, Any], dict[str, Array]]


def prepare(arguments: dict[str, Any], _arrays: dict[str, Array]) -> Answer:
    """Job: make the kernel "key" of "implementation" and run it once.

    "stream" names a memory stream over arrays of "array_bytes"; else it is a product in "precision" of "size".
    Answers {"operations", "moved", "version"}. Raises UnavailableError or UnsupportedError where there is none.
    """
    implementation, threads, device = (arguments[name] for name in ("implementation", "threads", "device"))
    if arguments["stream"]:
        kernel = ceilings.stream(
            implementation, arguments["stream"], arguments["array_bytes"], threads, device
        )
    else:
        rows, columns, inner = arguments["size"]
        kernel = ceilings.product(
            implementation, arguments["precision"], (rows, columns, inner), threads, device
        )
    kernel.call()
    _held[arguments["key"]] = kernel
    return {"operations": kernel.operations, "moved": kernel.moved, "version": kernel.version}, {}


def block(arguments: dict[str, Any], _arrays: dict[str, Array]) -> Answer:
    """Job: call the kernel "key" for "seconds" and at least "calls" times, after one call that does not count.

    Answers {"ns": of every call}.
    """
    call = _held[arguments["key"]].call
    fewest, until = arguments["calls"], int(arguments["seconds"] * 1e9)
    times: list[int] = []
    call()
    collecting = gc.isenabled()
    gc.disable()
    try:
        begin = end = time.perf_counter_ns()
        while len(times) < fewest or end - begin < until:
            start = end
            call()
            end = time.perf_counter_ns()
            times.append(end - start)
    finally:
        if collecting:
            gc.enable()
    return {"ns": times}, {}


def drop(arguments: dict[str, Any], _arrays: dict[str, Array]) -> Answer:
    """Job: let go of the kernel "key" and of its arrays."""
    _held.pop(arguments["key"], None)
    gc.collect()
    return {}, {}
