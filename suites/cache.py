"""Content-addressed cache of what is costly to make: exported models, and arrays such as reference outputs.

An entry is made in a temporary folder beside its place, flushed to disk and renamed into it, so it is either
whole or not there. Two processes that make the same entry at once are safe: the second finds the first's and uses
it. Sizes and SHA-256 sums are checked on every read; a damaged entry is removed and counts as absent.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from suites.errors import ModelError
from suites.leftovers import sweep, temporary_name

META = "meta.json"
ARRAYS = "arrays.npz"
_DISK_ERRORS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.EFBIG,
    }
)


@dataclass(frozen=True)
class CacheEntry:
    """A verified entry: `folder` holds the files, `meta` what `fill` returned plus "files" (name -> size, sha256)."""

    key: str
    folder: Path
    meta: Mapping[str, Any]


def cache_root() -> Path:
    """The cache folder: HARNESS_CACHE where set, else the user's cache folder; it need not exist."""
    chosen = os.environ.get("HARNESS_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    try:
        import platformdirs
    except ModuleNotFoundError:
        return Path.home() / ".cache" / "inference-harness"
    return Path(platformdirs.user_cache_dir("inference-harness"))


def entry_key(**facts: Any) -> str:
    """SHA-256 (hexadecimal) over everything that decides an entry's content; values must be JSON-able."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def find(key: str) -> CacheEntry | None:
    """The model entry `key` if it is there and whole; a damaged one is removed and counts as absent.

    Raises ModelError when a damaged entry cannot be removed.
    """
    return _find(_models() / key)


def store(key: str, fill: Callable[[Path], Mapping[str, Any]]) -> CacheEntry:
    """Make the model entry `key`: `fill` writes files into the empty folder it is given and returns JSON-able facts.

    When another process has made the entry meanwhile, that one is returned. What `fill` raises is passed on and
    leaves nothing behind. Raises ModelError when the cache folder is full or cannot be written.
    """
    return _store(_models() / key, fill)


def entries() -> list[CacheEntry]:
    """Model entries with a readable `meta.json`, newest first; not verified: `find` their key before use."""
    found = []
    for path in _models().glob(f"[!.]*/{META}"):
        meta = _read_meta(path.parent)
        if meta is not None:
            found.append((path.stat().st_mtime_ns, CacheEntry(path.parent.name, path.parent, meta)))
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0], reverse=True)]


def load_arrays(kind: str, key: str) -> tuple[dict[str, Array], dict[str, Any]] | None:
    """Arrays and facts stored as `kind` / `key`; None when absent or damaged (which is then removed)."""
    entry = _find(_arrays(kind) / key)
    if entry is None:
        return None
    with np.load(entry.folder / ARRAYS, allow_pickle=False) as archive:
        arrays = {name: archive[f"array{index}"] for index, name in enumerate(entry.meta["names"])}
    return arrays, dict(entry.meta["facts"])


def store_arrays(kind: str, key: str, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> CacheEntry:
    """Store named arrays with JSON-able facts; what is there already under this key stays.

    Raises ModelError when the cache folder is full or cannot be written.
    """

    def fill(folder: Path) -> Mapping[str, Any]:
        # Names are kept as text: an array may be called anything, a keyword argument of numpy's included.
        members = {f"array{index}": np.asarray(array) for index, array in enumerate(arrays.values())}
        np.savez(folder / ARRAYS, allow_pickle=False, **members)
        return {"names": list(arrays), "facts": dict(meta)}

    return _store(_arrays(kind) / key, fill)


def file_sha256(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _models() -> Path:
    return cache_root() / "models"


def _arrays(kind: str) -> Path:
    return cache_root() / "arrays" / kind


def _find(place: Path) -> CacheEntry | None:
    try:
        if not place.exists():
            return None
        entry = _verified(place)
    except PermissionError as error:
        raise ModelError(
            f"cannot read the cache folder {place}: {error.strerror} ({error.filename})",
            "make it readable, or set HARNESS_CACHE to another folder",
        ) from error
    if entry is None:
        _discard(place)
    return entry


def _store(place: Path, fill: Callable[[Path], Mapping[str, Any]]) -> CacheEntry:
    parent = place.parent
    with _writing(parent):
        sweep(parent)
        temporary = parent / temporary_name()
        temporary.mkdir()
        try:
            _seal(temporary, dict(fill(temporary)))
            return _publish(temporary, place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise ModelError(
            f"cannot write to the cache folder {folder}: {error.strerror} ({error.filename or 'no file named'})",
            "free some space there, or set HARNESS_CACHE to a folder that can be written",
        ) from error


def _seal(folder: Path, facts: dict[str, Any]) -> None:
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        _flush(path)
        files[path.relative_to(folder).as_posix()] = {
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }
    with (folder / META).open("w", encoding="utf-8") as file:
        json.dump({**facts, "files": files}, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    _flush(folder)


def _publish(temporary: Path, place: Path) -> CacheEntry:
    with _locked(place.parent):
        winner = _verified(place)
        if winner is not None:
            return winner
        shutil.rmtree(place, ignore_errors=True)
        temporary.rename(place)
        _flush(place.parent)
        meta = _read_meta(place)
        if meta is None:
            raise ModelError(f"the cache entry {place} vanished while it was made", "try again")
        return CacheEntry(place.name, place, meta)


def _discard(place: Path) -> None:
    with _writing(place.parent), _locked(place.parent):
        # Looked at again under the lock: another process may have replaced it by a whole one.
        if place.exists() and _verified(place) is None:
            grave = place.parent / temporary_name()
            place.rename(grave)
            shutil.rmtree(grave)


def _verified(folder: Path) -> CacheEntry | None:
    meta = _read_meta(folder)
    if meta is None:
        return None
    for name, expected in meta["files"].items():
        path = folder / name
        try:
            whole = path.stat().st_size == expected["bytes"] and file_sha256(path) == expected["sha256"]
        except FileNotFoundError:
            return None
        if not whole:
            return None
    return CacheEntry(folder.name, folder, meta)


def _read_meta(folder: Path) -> dict[str, Any] | None:
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return meta if isinstance(meta, dict) and isinstance(meta.get("files"), dict) else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl

    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
