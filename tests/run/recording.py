"""An observer that remembers what it was told."""

from __future__ import annotations


class Recording:
    """Keeps every text; `said` are the lines worth keeping."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def step(self, text: str) -> None:
        self.texts.append(text)

    def progress(self, done_s: float, total_s: float, text: str) -> None:
        assert 0.0 <= done_s <= total_s
        self.texts.append(text)
