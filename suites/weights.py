"""Weights on disk: a state dict as an uncompressed numpy `.npz`, never a pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from suites.errors import ModelError


def save_weights(module: Any, path: Path) -> None:
    """Write the state dict of a `torch.nn.Module`; the same state gives the same bytes."""
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def with_weights(make: Callable[[], Any], weights: Path | None) -> Any:
    """The module that `make` returns, in eval mode, without gradients, float32.

    With `weights` (a `.npz` state dict) its values are those of the file; without, torch's own unseeded
    initialisation. Raises ModelError when the file is unreadable or does not fit the module.
    """
    import torch

    if weights is None:
        module = make()
    else:
        # On the "meta" device nothing is initialised only to be overwritten.
        with torch.device("meta"):
            module = make()
        module = module.to_empty(device="cpu")
        state = {name: torch.from_numpy(array) for name, array in _read(weights).items()}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(
                f"the weights in {weights} do not fit the model: {error}",
                "expected the model's own state dict",
            ) from error
    return module.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"cannot read weights from {path}: {error}", "expected a numpy .npz file") from error
