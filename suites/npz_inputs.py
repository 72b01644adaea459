"""A user's own inputs: one `.npz` with an array for each input of the model."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backends.contract import Array, TensorSpec
from suites.errors import ModelError


def load_npz(path: Path, specs: Sequence[TensorSpec]) -> dict[str, Array]:
    """The arrays in a `.npz`, one for each input in `specs`, C-contiguous.

    Raises ModelError when the file cannot be read or holds pickled objects, and for a name, dtype or shape that
    does not fit the signature; a named dimension must have one size in all inputs.
    """
    arrays = _read_npz(path)
    names = [spec.name for spec in specs]
    for name in arrays:
        if name not in names:
            raise ModelError(
                f"{path} holds {name!r}, which the model does not take",
                f"the model takes: {', '.join(names)}",
            )
    sizes: dict[str, int] = {}
    for spec in specs:
        if spec.name not in arrays:
            raise ModelError(
                f"{path} has no array {spec.name!r}",
                f"save it as {spec.dtype} {_shown(spec)} under that name",
            )
        _check_array(path, spec, arrays[spec.name], sizes)
    return {spec.name: np.asarray(arrays[spec.name], order="C") for spec in specs}


def _read_npz(path: Path) -> dict[str, Array]:
    expected = "expected a numpy .npz file with one array for each input, as numpy.savez writes it"
    try:
        loaded = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise ModelError(f"there is no input file {path}", expected) from error
    except ValueError as error:
        # numpy takes whatever it does not know for a pickle, and then speaks of trust.
        raise ModelError(f"cannot read {path}: it is no .npz file, or it was cut short", expected) from error
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"cannot read {path}: {error}", expected) from error
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        raise ModelError(f"{path} holds a single array without a name", expected)
    arrays = {}
    with loaded:
        for name in loaded.files:
            try:
                arrays[name] = loaded[name]
            except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
                raise ModelError(f"cannot read the array {name!r} in {path}: {error}", expected) from error
    return arrays


def _check_array(path: Path, spec: TensorSpec, array: Array, sizes: dict[str, int]) -> None:
    if not isinstance(array, np.ndarray):
        raise ModelError(f"{spec.name!r} in {path} is not an array", "save it with numpy.savez")
    if array.dtype != np.dtype(spec.dtype):
        raise ModelError(
            f"{spec.name!r} in {path} is {array.dtype}, the model takes {spec.dtype}",
            f"save it with .astype({spec.dtype!r})",
        )
    fits = array.ndim == len(spec.shape) and all(
        dim == size if isinstance(dim, int) else size > 0
        for size, dim in zip(array.shape, spec.shape, strict=True)
    )
    if not fits:
        raise ModelError(
            f"{spec.name!r} in {path} has the shape {list(array.shape)}, the model takes {_shown(spec)}",
            "save it in that shape; names stand for dimensions of any size",
        )
    for size, dim in zip(array.shape, spec.shape, strict=True):
        if isinstance(dim, str) and sizes.setdefault(dim, size) != size:
            raise ModelError(
                f"the dimension {dim!r} is {size} in {spec.name!r} and {sizes[dim]} elsewhere in {path}",
                "a named dimension has one size in all inputs",
            )


def _shown(spec: TensorSpec) -> str:
    return f"[{', '.join(map(str, spec.shape))}]"
