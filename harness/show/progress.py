"""Progress of a run: a bar with remaining time on a terminal, plain lines otherwise.

Nothing here runs on its own: a bar that refreshes itself would do so inside a timed block.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

PLAIN_EVERY_S = 10.0


class ProgressView(Protocol):
    """An observer (see `harness.run.observer`) that is also a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """Print a line worth keeping."""

    def step(self, text: str) -> None:
        """Show what is going on."""

    def progress(self, done_s: float, total_s: float, text: str) -> None:
        """Show seconds done of seconds expected."""


class BarProgress:
    """A bar on a terminal, drawn only when told something."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, markup=False, soft_wrap=True)

    def step(self, text: str) -> None:
        """Show `text` in front of the bar."""
        self._ensure(text)
        self._bar.refresh()

    def progress(self, done_s: float, total_s: float, text: str) -> None:
        """Move the bar."""
        task = self._ensure(text)
        self._bar.update(task, completed=done_s, total=total_s)
        self._bar.refresh()

    def _ensure(self, text: str) -> TaskID:
        if self._task is None:
            self._task = self._bar.add_task(escape(text), total=None)
        else:
            self._bar.update(self._task, description=escape(text))
        return self._task


class PlainProgress:
    """Lines for logs: every message, and the progress at most every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def step(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def progress(self, done_s: float, total_s: float, text: str) -> None:
        """Print a line, but not too often."""
        now = time.monotonic()
        if now - self._last >= PLAIN_EVERY_S:
            self._last = now
            left = max(0.0, total_s - done_s)
            self._console.print(
                f"[{done_s:.0f} s of {total_s:.0f} s, {left:.0f} s left] {text}", markup=False
            )


def make_progress(console: Console) -> ProgressView:
    """The view that suits the console."""
    return BarProgress(console) if console.is_terminal else PlainProgress(console)
