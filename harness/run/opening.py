"""The requests by which every worker of a contender begins: open the engine, hand over inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping

from backends.contract import Array, ModelSource
from harness.records import ContenderRef, VariantRef
from harness.run.worker import Worker, WorkerFailure
from harness.worker.channel import Message
from harness.worker.tensors import pack


def open_engine(
    worker: Worker, ref: ContenderRef, variant: VariantRef, source: ModelSource, deadline_s: float
) -> Message:
    """Import the engine and check its version; the worker's answer (see `ContenderHost.open`).

    Raises WorkerFailure, "unavailable" when another version is installed than `ref` asks for.
    """
    opened = worker.request(
        "open",
        {
            "backend": ref.backend,
            "source": source.to_json(),
            "variant": {
                "flavour": ref.flavour,
                "precision": ref.precision,
                "batch": variant.batch,
                "threads": variant.threads,
                "dims": variant.dims,
                "options": ref.options,
            },
        },
        deadline_s=deadline_s,
        phase="import",
    )
    version = opened.head["version"]
    if ref.version and ref.version != version:
        raise WorkerFailure(
            "unavailable",
            "import",
            "version",
            f"{ref.backend} {ref.version} was asked for, {version} is installed",
            f"install that version, or ask for {ref.backend} without ==",
        )
    return opened


def give_feeds(
    worker: Worker, name: str, feeds: Mapping[str, Array], deadline_s: float, sha256: str = ""
) -> None:
    """Hand an input set to the worker, through shared memory; with `sha256` (see `backends.digest`) it is checked.

    Raises WorkerFailure, also when other bytes came than were sent.
    """
    fd, layout = pack(feeds)
    try:
        reply = worker.request("feeds", {"set": name, "layout": layout}, fds=(fd,), deadline_s=deadline_s)
    finally:
        os.close(fd)
    came = reply.head["sha256"]
    if sha256 and came != sha256:
        raise WorkerFailure(
            "failed",
            "feeds",
            "checksum",
            f"the worker has other inputs for {name} than were sent: {came[:12]} instead of {sha256[:12]}",
            "look for failing memory, e.g. with memtest86+",
        )
