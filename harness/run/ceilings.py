"""The machine's ceilings: from the cache, or measured once and kept there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from backends.ceilings import IMPLEMENTATIONS, PRODUCTS, STREAMERS, STREAMS, Size
from harness.environment.last_level import last_level_cache
from harness.environment.machine import machine as this_machine
from harness.environment.pressure import snapshot
from harness.records import Machine
from harness.records.work import Ceiling, Ceilings
from harness.run import kept
from harness.run.ceiling_bench import NoCeilingError, Way, measure
from harness.run.observer import Observer

REVISION = 1
"""Raised when the same machine would be given other ceilings: kept ones are then measured again."""

MEMORY = "memory"
SMALLEST_ARRAY = 128 * 2**20
"""Bytes; four times the last-level caches where those are larger, as STREAM's rules have it."""

NOT_YET = "this machine's ceiling was not measured yet; run: harness roofline"

_CACHE_TIMES = 4
_GPU_ARRAY = 2**30
_INNER, _WIDTH = 4096, 4
"""Length of the vector that a matrix is multiplied by, and bytes of a float32."""
_SHARE_OF_MEMORY = 0.1
"""Three arrays, in the workers of two libraries, must fit beside everything else."""


def ceilings(
    threads: int,
    precisions: Sequence[str],
    observer: Observer,
    *,
    fresh: bool = False,
    device: str = "cpu",
    machine: Machine | None = None,
    only_kept: bool = False,
) -> Ceilings:
    """Memory's ceiling and those of `precisions` at `threads` threads; measured where not kept, or `fresh`.

    One takes 10 to 20 s; with `only_kept` none is measured. What cannot be measured is in `missing` with the reason.
    Kept ones hold for the same machine fingerprint, device, threads and versions of the libraries.
    """
    here = machine or this_machine()
    cache = last_level_cache() if device == "cpu" else None
    compute: dict[str, Ceiling] = {}
    missing: dict[str, str] = {}
    memory: Ceiling | None = None
    for what in (MEMORY, *dict.fromkeys(precisions)):
        facts = _facts(here, device, threads, what)
        found = None if fresh else kept.load("ceilings", facts, Ceiling)
        if found is None and only_kept:
            missing[what] = NOT_YET
            continue
        if found is None:
            try:
                found = _measure(what, threads, device, here, cache, observer)
            except NoCeilingError as reason:
                missing[what] = str(reason)
                continue
            problem = kept.keep("ceilings", facts, found)
            if problem:
                observer.say(f"The ceiling is not kept: {problem}")
        if what == MEMORY:
            memory = found
        else:
            compute[what] = found
    return Ceilings(
        machine=here,
        device=device,
        threads=threads,
        last_level_cache=cache,
        compute=compute,
        memory=memory,
        missing=missing,
    )


def _measure(
    what: str, threads: int, device: str, here: Machine, cache: int | None, observer: Observer
) -> Ceiling:
    if what == MEMORY:
        ways = stream_ways(device, array_bytes(device, cache, snapshot().memory_available))
        said = "memory streaming"
    else:
        ways = product_ways(device, what, threads)
        said = f"{what} products"
    if not ways:
        raise NoCeilingError(f"no library is known to compute in {what} on {device}")
    plural = "s" if threads != 1 else ""
    observer.say(f"Measuring the ceiling of {said} on {threads} thread{plural}, once (kept in the cache) ...")
    return measure(
        ways,
        kind="memory" if what == MEMORY else "compute",
        precision="" if what == MEMORY else what,
        threads=threads,
        device=device,
        machine=here,
        observer=observer,
    )


def product_ways(device: str, precision: str, threads: int) -> list[Way]:
    """Products that may give the ceiling, small ones first.

    A lower precision may always be computed in float32 (engines do so where the processor lacks it), so float32's
    products count for it too.
    """
    precisions = [precision] if precision in ("fp32", "tf32") else [precision, "fp32"]
    return [
        Way(implementation, precision=computed, size=size)
        for size in sizes(device, threads)
        for computed in precisions
        if (device, precision) in PRODUCTS
        for implementation in PRODUCTS.get((device, computed), ())
    ]


def sizes(device: str, threads: int) -> list[Size]:
    """Rows, columns and inner sizes: large enough that arithmetic bounds them, for the number of threads."""
    sides = [512, 1024, 2048] if device == "cpu" else [2048, 4096, 8192]
    if device == "cpu" and threads > 4:
        sides = [1024, 2048, 4096]
    return [(side, side, side) for side in sides]


def stream_ways(device: str, size: int) -> list[Way]:
    """Ways that may give memory's ceiling: streams, and a vector times a matrix, which reads as inference does."""
    matrix: Size = (1, max(1, size // (_WIDTH * _INNER)), _INNER)
    streams = [
        Way(implementation, stream=name, array_bytes=size)
        for implementation in STREAMERS.get(device, ())
        for name in STREAMS
    ]
    return [*streams, *(Way(name, size=matrix) for name in PRODUCTS.get((device, "fp32"), ()))]


def array_bytes(device: str, cache: int | None, available: int | None) -> int:
    """Size of one array: four times the caches, but no more than a share of the memory that is available."""
    if device != "cpu":
        return _GPU_ARRAY
    wanted = max(SMALLEST_ARRAY, _CACHE_TIMES * (cache or 0))
    return min(wanted, int(_SHARE_OF_MEMORY * available)) if available else wanted


def _facts(here: Machine, device: str, threads: int, what: str) -> dict[str, str]:
    versions = {name: _version(distribution) for name, (distribution, _) in IMPLEMENTATIONS.items()}
    return {
        "machine": here.id,
        "device": device,
        "threads": str(threads),
        "what": what,
        "revision": str(REVISION),
        "precision_of_cpu": " ".join(here.cpu_flags),
        **versions,
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"
