"""How the fake engine misbehaves: what it does to its process, its outputs, its memory of inputs and its time."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

import numpy as np

from backends.contract import Array, Feeds

FAULTS = {
    "none": "",
    "raise_build": "build raises RuntimeError",
    "raise_load": "load raises RuntimeError",
    "raise_infer": "infer raises RuntimeError",
    "nan": "every float output is NaN",
    "wrong_value": "one element of the first output is off by the output's largest value",
    "wrong_shape": "the first output has one dimension too many",
    "missing_output": "the last output is not there",
    "extra_output": "an output named 'surplus' is there",
    "wrong_dtype": "the first output is float64 (float32 where it is declared float64)",
    "segfault": "infer dies from SIGSEGV",
    "abort": "infer dies from SIGABRT",
    "exit": "infer leaves the process with exit code 3",
    "hang": "infer never returns",
    "hang_load": "load never returns",
    "allocate": "infer takes memory until there is none",
    "garbage_stdout": "load and infer write bytes that are no text to file descriptor 1",
    "stale": "a caching engine: for ever the outputs of the first inputs",
    "cache": "a caching engine: works on inputs it has not seen, hands out what it keeps for others",
    "cache_binding": "an idle engine: works only in the first infer after inputs came in",
    "cache_address": "a caching engine: outputs by the inputs' address in memory, whatever is there by now",
    "late": "infer returns at once, and the work is done when the outputs are read",
    "off_by_one": "outputs of the call before",
    "wrong_later": "right for fault_after calls of infer, then one element is off",
    "wrong_at_times": "in every seventh call of infer one element is off",
    "wrong_timed": "right by infer, wrong by the timed call: one element is off",
    "first_of_batch": "every entry of the batch is taken for the first",
    "raise_profile": "profile raises RuntimeError",
    "leak": "every load keeps 16 MiB and every infer 64 KiB for ever",
}
"""Values of the option `fault` -> what happens."""

MIB = 1 << 20
leaked: list[bytearray] = []
PERIOD = 7
"""Calls from one wrong one to the next of `wrong_at_times`."""


class Conduct:
    """What a session does in a call; this one is honest. The others leave out work or mix up outputs."""

    def given(self, feeds: Feeds) -> Feeds:
        """The inputs that are computed with, when `feeds` came in."""
        return feeds

    def work_ns(self, length_ns: int) -> int:
        """How long a call works that should work for `length_ns`."""
        return length_ns

    def called(self, values: dict[str, Array]) -> dict[str, Array]:
        """The outputs of a call whose right ones are `values`."""
        return values

    def waiting_ns(self) -> int:
        """How long reading the outputs has to wait for them."""
        return 0


class KeepsOutputs(Conduct):
    """Works on inputs not seen yet."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._now = b""

    def given(self, feeds: Feeds) -> Feeds:
        """As given; their bytes are what outputs are kept by."""
        self._now = b"".join(array.tobytes() for array in feeds.values())
        return feeds

    def work_ns(self, length_ns: int) -> int:
        """Nothing for inputs it has seen."""
        known = self._now in self._seen
        self._seen.add(self._now)
        return 0 if known else length_ns


class WaitsForInputs(Conduct):
    """Works once for every time that inputs come in."""

    def __init__(self) -> None:
        self._new = True

    def given(self, feeds: Feeds) -> Feeds:
        """As given."""
        self._new = True
        return feeds

    def work_ns(self, length_ns: int) -> int:
        """Nothing after the first call."""
        new, self._new = self._new, False
        return length_ns if new else 0


class KeepsByAddress(Conduct):
    """Takes inputs at a known address for those that were there first."""

    def __init__(self) -> None:
        self._by_address: dict[tuple[int, ...], Feeds] = {}

    def given(self, feeds: Feeds) -> Feeds:
        """What was first at these addresses."""
        place = tuple(array.ctypes.data for array in feeds.values())
        copied = {name: np.array(array) for name, array in feeds.items()}
        return self._by_address.setdefault(place, copied)


class WorksLate(Conduct):
    """Leaves the work to whoever reads the outputs."""

    def __init__(self) -> None:
        self._ready = 0

    def work_ns(self, length_ns: int) -> int:
        """Nothing yet."""
        self._ready = time.perf_counter_ns() + length_ns
        return 0

    def waiting_ns(self) -> int:
        """What is left of the last call's work."""
        return max(0, self._ready - time.perf_counter_ns())


class OneBehind(Conduct):
    """Hands out the outputs of the call before."""

    def __init__(self) -> None:
        self._last: dict[str, Array] = {}

    def called(self, values: dict[str, Array]) -> dict[str, Array]:
        """Those of the last call; in the first call the right ones."""
        before, self._last = self._last or values, values
        return before


class WrongFrom(Conduct):
    """Wrong after some calls, or in every so many."""

    def __init__(self, after: int, period: int = 0) -> None:
        self._calls = 0
        self._after = after
        self._period = period

    def called(self, values: dict[str, Array]) -> dict[str, Array]:
        """One element is off when it is this call's turn."""
        self._calls += 1
        wrong = self._calls % self._period == 0 if self._period else self._calls > self._after
        return spoil(dict(values), "wrong_value") if wrong else values


class FirstOfBatch(Conduct):
    """Takes every entry of the batch for the first."""

    def given(self, feeds: Feeds) -> Feeds:
        """The first entry as often as there are entries."""
        return {
            name: np.ascontiguousarray(np.broadcast_to(array[:1], array.shape)) if array.ndim else array
            for name, array in feeds.items()
        }


def conduct_of(fault: str, after: int) -> Conduct:
    """How a session behaves with this fault; `after`: the option fault_after."""
    made: Mapping[str, Callable[[], Conduct]] = {
        "cache": KeepsOutputs,
        "cache_binding": WaitsForInputs,
        "cache_address": KeepsByAddress,
        "late": WorksLate,
        "off_by_one": OneBehind,
        "wrong_later": lambda: WrongFrom(after),
        "wrong_at_times": lambda: WrongFrom(0, PERIOD),
        "first_of_batch": FirstOfBatch,
    }
    return made.get(fault, Conduct)()


def spoil(values: dict[str, Array], fault: str) -> dict[str, Array]:
    """Right outputs -> the outputs that the fault gives."""
    first = next(iter(values))
    if fault == "nan":
        floats = {name: value for name, value in values.items() if value.dtype.kind == "f"}
        values |= {name: np.full_like(value, np.nan) for name, value in floats.items()}
    elif fault == "wrong_value":
        spoilt = values[first].copy()
        spoilt.reshape(-1)[0] += np.abs(spoilt).max() or 1
        values[first] = spoilt
    elif fault == "wrong_shape":
        values[first] = values[first][None]
    elif fault == "missing_output":
        del values[list(values)[-1]]
    elif fault == "extra_output":
        values["surplus"] = np.zeros(1, dtype=np.float32)
    elif fault == "wrong_dtype":
        values[first] = values[first].astype("float32" if values[first].dtype == np.float64 else "float64")
    return values


def _raise() -> NoReturn:
    raise RuntimeError("the fake engine was told to fail in infer (fault=raise_infer)")


def hang() -> NoReturn:
    """Never return."""
    while True:
        time.sleep(3600)


def leak(size: int) -> None:
    """Keep `size` bytes for ever."""
    # Non-zero bytes: untouched zero pages would not become resident.
    leaked.append(bytearray(b"\x01") * size)


def _allocate() -> NoReturn:
    while True:
        leak(64 * MIB)


def garbage() -> None:
    """Write to file descriptor 1 what is no text."""
    os.write(1, b"\x00\xff{garbage from the engine}\n\xfe")


AT_INFER: dict[str, Callable[[], object]] = {
    "raise_infer": _raise,
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(3),
    "hang": hang,
    "allocate": _allocate,
    "garbage_stdout": garbage,
    "leak": lambda: leak(65536),
}
