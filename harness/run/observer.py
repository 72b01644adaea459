"""What the runner tells whoever watches: a terminal, a log, a test."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Told only between blocks, so that drawing disturbs no measurement."""

    def say(self, text: str) -> None:
        """A line worth keeping."""

    def step(self, text: str) -> None:
        """What is going on; may be overwritten by the next one."""

    def progress(self, done_s: float, total_s: float, text: str) -> None:
        """Seconds done of seconds expected, over the whole run."""


class Silent:
    """An observer that shows nothing."""

    def say(self, text: str) -> None:
        """Ignore."""

    def step(self, text: str) -> None:
        """Ignore."""

    def progress(self, done_s: float, total_s: float, text: str) -> None:
        """Ignore."""
