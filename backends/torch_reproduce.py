"""Runs a part of a torch model, kept as its operators in operators.pt. Needs torch and numpy only."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

OPERATORS = "operators.pt"
INPUT = "input "
"""Before the name of an input, which may be that of a call, too."""


def run(model: Path, inputs: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Outputs by name. `model` is any file beside operators.pt; `inputs` are arrays by name.

    operators.pt holds "inputs" (name -> dtype), "constants" (name -> tensor), "calls" (name, operator, arguments) in
    their order, and "outputs" (name -> name of the call). Values of float16 and bfloat16 are cast up in the end.
    """
    import torch

    torch.set_num_threads(int(settings.get("threads", 1)))
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    kept = torch.load(Path(model).with_name(OPERATORS), weights_only=True)
    values: dict[str, Any] = dict(kept["constants"])
    for name, dtype in kept["inputs"].items():
        values[INPUT + name] = torch.from_numpy(np.array(inputs[name])).to(getattr(torch, dtype))
    with torch.inference_mode():
        for call in kept["calls"]:
            positional, named = (
                decoded(call["arguments"], values, torch),
                decoded(call["named"], values, torch),
            )
            values[call["name"]] = operator(call["operator"])(*positional, **named)
    outputs = {name: values[made].detach().cpu() for name, made in kept["outputs"].items()}
    narrow = (torch.float16, torch.bfloat16)
    return {name: (v.float() if v.dtype in narrow else v).numpy() for name, v in outputs.items()}


def operator(name: str) -> Any:
    """The function of a name such as "torch.ops.aten.relu.default" or "operator.getitem"."""
    module, *path = name.split(".")
    found: Any = importlib.import_module(module)
    for part in path:
        found = getattr(found, part)
    return found


def decoded(value: Any, values: dict[str, Any], torch: Any) -> Any:
    """Arguments with the values in place of what stands for them."""
    if isinstance(value, dict):
        kinds = {
            "value": lambda name: values[name],
            "torch": lambda name: getattr(torch, name),
            "device": torch.device,
            "slice": lambda ends: slice(*decoded(ends, values, torch)),
            "named": lambda named: {key: decoded(inner, values, torch) for key, inner in named.items()},
        }
        ((kind, inner),) = value.items()
        return kinds[kind](inner)
    if isinstance(value, list | tuple):
        return type(value)(decoded(inner, values, torch) for inner in value)
    return value
