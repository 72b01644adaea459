"""Watches the machine over a run: counters at its ends, and its tempo whenever somebody looks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.environment.pressure import Pressure, PressureDelta, between, snapshot


class Watch:
    """Begins at birth. `look` between blocks, never inside one: it reads a handful of small files."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._first = self._last = snapshot(root)
        self._looks: list[Pressure] = [self._first]

    def look(self) -> None:
        """Remember frequency and temperature of this moment."""
        self._last = snapshot(self._root)
        self._looks.append(self._last)

    def delta(self, own_cpu_s: float | None) -> PressureDelta:
        """All from birth until now, with the frequencies of every look; `own_cpu_s` as in `between`."""
        self.look()
        whole = between(self._first, self._last, own_cpu_s)
        mhz = [look.tempo.frequency_mhz for look in self._looks if look.tempo.frequency_mhz is not None]
        hottest = [look.tempo.temperature_c for look in self._looks if look.tempo.temperature_c is not None]
        tempo = replace(whole.tempo, frequencies_mhz=tuple(mhz), temperature_c=max(hottest, default=None))
        return replace(whole, tempo=tempo)
