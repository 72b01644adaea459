"""What an adapter contributes to a folder that repeats a failure: the few lines that drive its engine alone.

`facts` is a job: the parent runs it in a worker process, because adapters may come from anywhere.
"""

from __future__ import annotations

from typing import Any

from backends.catalogue import load_adapter
from backends.contract import Array, UnsupportedError, Variant


def facts(arguments: dict[str, Any], _arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: the adapter of `arguments["backend"]` in the variant "variant" (fields of `Variant`).

    Answers {"sources": what it builds from, "version" and "install" of the engine, "script": the source of a Python
    module (see `Backend.reproduction`), "reason": why there is none}.
    """
    backend = load_adapter(str(arguments["backend"]))
    variant = Variant(**arguments["variant"])
    probe = backend.probe()
    script, reason = "", ""
    try:
        script = backend.reproduction(variant)
    except UnsupportedError as error:
        reason = str(error)
    return {
        "sources": list(backend.capabilities(variant.flavour).sources),
        "version": probe.version,
        "install": probe.install,
        "script": script,
        "reason": reason,
    }, {}
