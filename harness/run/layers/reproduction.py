"""A folder that repeats a failure with nothing but the engine and numpy."""

from __future__ import annotations

import inspect
import json
import math
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.contract import Array
from harness.errors import StorageError
from harness.records.layers import Place, TensorError
from harness.run.layers import reproduce_main
from harness.run.layers.plan import Workshop

if TYPE_CHECKING:
    from harness.run.layers.parts import Part
    from harness.run.layers.places import Search


def adapter_facts(workshop: Workshop) -> dict[str, Any]:
    """What the contender's adapter says of itself; see `backends.reproduction.facts`."""
    ref = workshop.plan.contender
    arguments = {
        "backend": ref.backend,
        "variant": {
            "flavour": ref.flavour,
            "precision": ref.precision,
            "threads": workshop.plan.variant.threads,
            "options": ref.options,
        },
    }
    return workshop.job("backends.reproduction:facts", arguments, None, "asking the adapter")[0]


def write_reproduction(search: Search, place: Place, part: Part, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Write the folder; returns its path, and why it holds no script, if it does not.

    Raises StorageError.
    """
    plan = search.workshop.plan
    folder = plan.folder
    if folder is None:
        return "", "no folder was asked for"
    ref = plan.contender
    settings = {
        "contender": ref.text,
        "flavour": ref.flavour,
        "precision": ref.precision,
        "threads": plan.variant.threads,
        "options": ref.options,
        "outputs": [part.output],
        "limits": {part.output: _limits(part.error)},
        "model": plan.model.source.name,
        "reference": plan.reference.source.name,
        "input_set": plan.input_set,
        "engine_version": facts["version"],
    }
    expected: dict[str, Array] = {
        f"{part.output}:float64": part.expected.right(part.output),
        f"{part.output}:float32": part.expected.yardstick(part.output),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in part.folder.iterdir():
            # The reference's part is where expected.npz comes from; what else lies there is the adapter's.
            if file.is_file() and file.name != "reference.onnx":
                shutil.copyfile(file, folder / file.name)
        np.savez(folder / "inputs.npz", **dict(part.feeds))  # type: ignore[arg-type]
        np.savez(folder / "expected.npz", **expected)  # type: ignore[arg-type]
        (folder / "settings.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        (folder / "README.txt").write_text(
            _readme(place, part, settings, facts, one_model=plan.one_model), encoding="utf-8"
        )
        if facts["script"]:
            (folder / "engine.py").write_text(facts["script"], encoding="utf-8")
            (folder / "reproduce.py").write_text(inspect.getsource(reproduce_main), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"the reproduction cannot be written to {folder}: {error.strerror}", "name another folder"
        ) from None
    return str(folder), str(facts["reason"])


def _limits(error: TensorError) -> dict[str, dict[str, float]]:
    """Yardstick and budget by measure; nothing where values must be equal."""
    told = (
        ("rms", error.error_rms, error.ratio_rms, error.budget_rms),
        ("largest", error.error_max, error.ratio_max, error.budget_max),
    )
    return {
        measure: {"yardstick": size / ratio, "budget": budget}
        for measure, size, ratio, budget in told
        if size and ratio and budget and math.isfinite(size)
    }


def _readme(
    place: Place, part: Part, settings: Mapping[str, Any], facts: Mapping[str, Any], *, one_model: bool
) -> str:
    operators = ", ".join(f"{node['operator']} {node['name']}".strip() for node in part.nodes)
    contender, model, reference = (settings[name] for name in ("contender", "model", "reference"))
    lines = [
        f"{contender} computes a part of {model} wrong."
        if one_model
        else f"A part of {model}, run by {contender}, is not what {reference} says.",
        "",
        place.words,
        "",
        f"The part: {operators}",
        f"Engine: {settings['contender']}, version {settings['engine_version'] or 'unknown'}",
        "",
        "model.onnx     the part, with its weights and with concrete shapes",
        "inputs.npz     its inputs: what the reference computes up to there",
        "expected.npz   NAME:float64 is right; NAME:float32 is the yardstick (the same by numpy in float32)",
        "settings.json  how the engine was set, and the budgets in units of the yardstick's error",
    ]
    if facts["script"]:
        lines += [
            "engine.py      the few lines that drive the engine",
            "reproduce.py   runs and compares; exit code 1 when the outputs are wrong",
            "",
            f"Run: python reproduce.py   (needs numpy and: {facts['install'] or 'the engine'})",
        ]
    else:
        lines += ["", f"There is no script: {facts['reason']}"]
    return "\n".join(lines) + "\n"
