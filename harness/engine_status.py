"""What probing an engine gave: one line of `harness list backends` and `harness doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EngineStatus:
    """One line of `harness list backends`."""

    name: str
    title: str
    distribution: str
    available: bool
    version: str = ""
    devices: tuple[str, ...] = ()
    reason: str = ""
    install: str = ""
    flavours: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
