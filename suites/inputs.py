"""Fillings of a model's inputs: seeded input sets named `kind:seed`, and a user's own `.npz`."""

from __future__ import annotations

import difflib
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from backends.contract import Array, TensorSpec
from suites.errors import ModelError

Range = tuple[float, float]

SEEDED = ("normal", "uniform")
CONSTANT = ("zeros", "ones")
INTEGER_RANGE: Range = (0, 2)
"""Half-open range of integer inputs whose model names none: 0 and 1 are valid as token, mask and index."""
UNIT_RANGE: Range = (0.0, 1.0)
ATTENTION_MASK = "attention_mask"
"""An integer or boolean input [batch, sequence] of this name, the usual one of encoders, is filled as real texts fill
it: ones, then zeros for the padding. Coins would leave texts without a token, whose attention is undefined."""


def make_inputs(
    specs: Sequence[TensorSpec],
    set_name: str,
    batch: int = 1,
    dims: Mapping[str, int] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, Array]:
    """The input set `set_name` for `specs`: name -> C-contiguous array of the declared dtype.

    `set_name` is `normal:SEED` (standard normal), `uniform:SEED` (0 to 1, or the input's range), `zeros` or `ones`.
    `dims` gives the sizes of named dynamic dimensions, `ranges` the half-open range of values of an input.
    Integers are drawn uniformly from their range (default 0 and 1) in both seeded kinds, and constants are moved
    into it; booleans are fair coins. An attention mask has ones in the first half of each row or more (in all of it
    in `ones`, in the first place alone in `zeros`), then zeros. Each tensor has a stream of its own, so that its values
    do not depend on the other inputs. Raises ModelError for an unknown set, a dimension without a size, or an
    impossible range.
    """
    kind, seed = parse_set(set_name)
    arrays = {}
    for spec in specs:
        shape = _shape(spec, batch, dims)
        limits = (ranges or {}).get(spec.name)
        if limits is not None and not limits[0] < limits[1]:
            raise ModelError(
                f"the values of input {spec.name!r} cannot be from {limits[0]} up to {limits[1]}",
                "the first must be below the second",
            )
        arrays[spec.name] = np.ascontiguousarray(_fill(spec, kind, seed, shape, limits)).reshape(shape)
    return arrays


def parse_set(set_name: str) -> tuple[str, int]:
    """Kind and seed of an input set's name (seed 0 for constant kinds). Raises ModelError for another name."""
    kind, colon, text = set_name.partition(":")
    if kind in CONSTANT and not colon:
        return kind, 0
    if kind in SEEDED and text.isascii() and text.isdigit():
        return kind, int(text)
    near = difflib.get_close_matches(kind, (*SEEDED, *CONSTANT), n=1)
    guess = f"did you mean {_form(near[0])!r}? " if near else ""
    raise ModelError(
        f"there is no input set {set_name!r}",
        f"{guess}Input sets: {', '.join(_form(known) for known in (*SEEDED, *CONSTANT))}, with a whole number as SEED",
    )


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


def non_finite(arrays: Mapping[str, Array]) -> dict[str, int]:
    """How many NaN and infinite values each floating-point array holds; arrays without any are left out."""
    counts = {
        name: int(np.count_nonzero(~np.isfinite(array)))
        for name, array in arrays.items()
        if np.issubdtype(array.dtype, np.inexact)
    }
    return {name: count for name, count in counts.items() if count}


def sha256_of(arrays: Mapping[str, Array]) -> str:
    """SHA-256 (hexadecimal) over names, dtypes, shapes and little-endian bytes; the order of names does not matter."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        head = f"{len(name)}:{name} {little.dtype.str} {','.join(map(str, little.shape))}\n"
        digest.update(head.encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def _fill(spec: TensorSpec, kind: str, seed: int, shape: tuple[int, ...], limits: Range | None) -> Array:
    dtype = np.dtype(spec.dtype)
    if spec.name == ATTENTION_MASK and len(shape) == 2 and dtype.kind in "iub":
        return _mask(kind, seed, shape).astype(dtype)
    if kind in CONSTANT:
        value = float(kind == "ones")
        if limits is not None and dtype.kind in "iu":
            value = min(max(value, limits[0]), limits[1] - 1)
        return np.full(shape, value, dtype)
    # Both seeded kinds draw integers alike: without a stream of its own the second would repeat the first.
    stream = f"{spec.name} uniform" if dtype.kind in "iub" and kind == "uniform" else spec.name
    return _drawn(_generator(stream, seed), dtype.kind, kind, shape, limits).astype(dtype)


def _mask(kind: str, seed: int, shape: tuple[int, ...]) -> Array:
    rows, places = shape
    shortest = {"ones": places, "zeros": 1}.get(kind, -(-places // 2))
    longest = 1 if kind == "zeros" else places
    lengths = _generator(f"{ATTENTION_MASK} {kind}", seed).integers(shortest, longest + 1, rows)
    return np.asarray(np.arange(places) < lengths[:, None])


def _drawn(
    rng: np.random.Generator, dtype_kind: str, kind: str, shape: tuple[int, ...], limits: Range | None
) -> Array:
    if dtype_kind == "b":
        return np.asarray(rng.integers(0, 2, shape))
    if dtype_kind in "iu":
        low, high = limits or INTEGER_RANGE
        return np.asarray(rng.integers(int(low), int(high), shape))
    if kind == "normal":
        return np.asarray(rng.standard_normal(shape))
    return np.asarray(rng.uniform(*(limits or UNIT_RANGE), shape))


def _generator(name: str, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(digest[:16], "little")]))


def _shape(spec: TensorSpec, batch: int, dims: Mapping[str, int] | None) -> tuple[int, ...]:
    try:
        return spec.concrete(batch, dims)
    except ValueError as error:
        known = dims or {}
        open_dims = [dim for dim in spec.shape[1:] if isinstance(dim, str) and dim not in known]
        flags = " ".join(f"--dim {dim}=SIZE" for dim in dict.fromkeys(open_dims))
        raise ModelError(str(error), f"pass {flags}") from error


def _read_npz(path: Path) -> dict[str, Array]:
    expected = "expected a numpy .npz file with one array for each input, as numpy.savez writes it"
    try:
        loaded = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise ModelError(f"there is no input file {path}", expected) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
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


def _form(kind: str) -> str:
    return f"{kind}:SEED" if kind in SEEDED else kind
