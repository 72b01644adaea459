"""Inputs that were saved and are used again: a folder of `.npz` files with a manifest, or any `.npz` files.

The manifest (`inputs.json`) says which file holds which input set of which variant, with the hash of its arrays.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec
from backends.digest import sha256_of
from suites.errors import ModelError
from suites.npz_inputs import load_npz

MANIFEST = "inputs.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class GivenSet:
    """One input set in a file. `sha256` is that of the manifest; empty where there is none."""

    name: str
    batch: int
    dims: Mapping[str, int]
    path: Path
    sha256: str = ""

    def load(self, specs: Sequence[TensorSpec]) -> dict[str, Array]:
        """Its arrays. Raises ModelError for what does not fit `specs` or is not what was saved."""
        arrays = load_npz(self.path, specs)
        found = sha256_of(arrays)
        if self.sha256 and found != self.sha256:
            raise ModelError(
                f"{self.path} is not what was saved: its arrays have the hash {found[:12]}, "
                f"{MANIFEST} says {self.sha256[:12]}",
                f"save the inputs again, or remove {MANIFEST} to take the files as they are",
            )
        return arrays


@dataclass
class InputSaver:
    """Writes input sets into a folder, and after each the manifest, so that what is there is always whole."""

    folder: Path
    model: str
    model_sha256: str
    _entries: list[dict[str, Any]] = field(default_factory=list)

    def save(self, name: str, batch: int, dims: Mapping[str, int], arrays: Mapping[str, Array]) -> Path:
        """Save one input set; returns its file. Raises OSError."""
        sizes = "".join(f"-{key}-{size}" for key, size in sorted(dims.items()))
        place = Path(_plain(f"batch-{batch}{sizes}")) / f"{_plain(name.removesuffix('.npz'))}.npz"
        target = self.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_npz(target, arrays)
        self._entries.append(
            {
                "input_set": name,
                "batch": batch,
                "dims": dict(dims),
                "file": place.as_posix(),
                "sha256": sha256_of(arrays),
            }
        )
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "kind": "inputs",
            "model": self.model,
            "model_sha256": self.model_sha256,
            "sets": self._entries,
        }
        temporary = self.folder / f".{MANIFEST}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.folder / MANIFEST)
        return target


def given_sets(path: Path, specs: Sequence[TensorSpec]) -> tuple[GivenSet, ...]:
    """The input sets in the folder or `.npz` file `path`, for a model that takes `specs`.

    A folder that `InputSaver` wrote is read by its manifest; of another one every `.npz` is an input set named like
    its file, and its variant follows from its shapes. Raises ModelError for what cannot be read or does not fit.
    """
    if not path.exists():
        raise ModelError(
            f"there is no file or folder {path}", "give a .npz file, or a folder with such files"
        )
    if not path.is_dir():
        return (_without_manifest(path, specs),)
    manifest = path / MANIFEST
    if manifest.exists():
        return _by_manifest(manifest)
    files = sorted(path.glob("*.npz"))
    if not files:
        raise ModelError(
            f"the folder {path} holds neither {MANIFEST} nor a .npz file",
            "make one with --save-inputs, or put a .npz for each input set into it",
        )
    return tuple(_without_manifest(file, specs) for file in files)


def _by_manifest(manifest: Path) -> tuple[GivenSet, ...]:
    expected = "expected a manifest as --save-inputs writes it"
    try:
        data = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {manifest}: {error}", expected) from error
    if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
        raise ModelError(f"{manifest} is no manifest of schema version {SCHEMA_VERSION}", expected)
    try:
        sets = tuple(
            GivenSet(
                name=str(entry["input_set"]),
                batch=int(entry["batch"]),
                dims={str(name): int(size) for name, size in entry["dims"].items()},
                path=manifest.parent / str(entry["file"]),
                sha256=str(entry["sha256"]),
            )
            for entry in data["sets"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{manifest} has an entry that cannot be read: {error!r}", expected) from error
    if not sets:
        raise ModelError(f"{manifest} lists no input set", expected)
    return sets


def _without_manifest(path: Path, specs: Sequence[TensorSpec]) -> GivenSet:
    arrays = load_npz(path, specs)
    batch, dims = 1, {}
    for spec in specs:
        for axis, (dim, size) in enumerate(zip(spec.shape, arrays[spec.name].shape, strict=True)):
            if isinstance(dim, str) and axis == 0:
                batch = size
            elif isinstance(dim, str):
                dims[dim] = size
    return GivenSet(path.name, batch, dict(sorted(dims.items())), path)


def _write_npz(target: Path, arrays: Mapping[str, Array]) -> None:
    """As `numpy.savez`, which takes the names as keywords and so cannot write an input called "file"."""
    with zipfile.ZipFile(target, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


def _plain(text: str) -> str:
    """`text` as the name of a file."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:100] or "set"
