"""Which pre- and post-processing a model is measured with: its own, another one by name, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import InputError
from harness.records import ModelRef
from harness.run.models import Processing

NONE = "none"


def choose_processing(model: ModelRef, asked: str, items: Sequence[Path]) -> Processing | None:
    """`asked` is "" (the model's own), "none", or NAME[:IMPLEMENTATION].

    `items` are the files to feed it with, in place of the shipped ones. Raises InputError for a name, an
    implementation or a file that is not there.
    """
    from suites.catalogue import BUILTINS

    own = getattr(BUILTINS[model.name], "pipeline", "") if model.source == "builtin" else ""
    name, _, implementation = (asked or own).partition(":")
    if not name or name == NONE:
        if items:
            raise InputError(
                f"--item {items[0]}: there is no pipeline to feed it to",
                "name one with --pipeline, e.g. --pipeline classify",
            )
        return None
    from suites.errors import ModelError
    from suites.pipelines.catalogue import pipeline

    try:
        spec = pipeline(name)
    except ModelError as error:
        raise InputError(f"--pipeline {asked}: {error.message}", error.hint) from None
    if implementation and implementation not in spec.implementations:
        raise InputError(
            f"--pipeline {asked}: {name} has no implementation {implementation!r}",
            f"its implementations: {', '.join(spec.implementations)}",
        )
    for path in items:
        if not path.is_file():
            raise InputError(f"--item {path}: there is no such file", "give an existing picture or text")
    return Processing(
        name, spec.factory, implementation or spec.implementations[0], tuple(items) or tuple(spec.samples)
    )
