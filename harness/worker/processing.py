"""A model's pre- and post-processing in the worker: loaded by name, fed with encoded items, never fatal."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backends.contract import Array, Feeds, TensorSpec
from harness.worker.plain import plain_text


@dataclass
class Item:
    """One encoded picture or text, as it would arrive."""

    name: str
    data: bytes


@dataclass
class Processing:
    """A pipeline with the items that it is fed with; every call takes the next `batch` of them, in turn."""

    pipeline: Any
    items: list[Item]
    batch: int = 1
    dropped: list[str] = field(default_factory=list)
    _next: int = 0

    @property
    def implementation(self) -> dict[str, str]:
        """Which libraries do the work: stage -> name and version."""
        told = getattr(self.pipeline, "implementation", {})
        return {plain_text(key, 40): plain_text(value, 120) for key, value in dict(told).items()}

    def preprocess(self) -> Feeds:
        """Feeds of the next `batch` items."""
        count = len(self.items)
        chosen = [self.items[(self._next + place) % count].data for place in range(self.batch)]
        self._next = (self._next + self.batch) % count
        feeds: Feeds = self.pipeline.preprocess(chosen)
        return feeds

    def postprocess(self, outputs: Mapping[str, Array]) -> object:
        """The answer for the items of the last `preprocess`."""
        return self.pipeline.postprocess(outputs)

    def try_items(self, check: Callable[[Feeds], None]) -> str:
        """Preprocess each item alone and drop those that fail; returns what went wrong, empty when nothing did."""
        kept = []
        for item in self.items:
            try:
                feeds = self.pipeline.preprocess([item.data] * self.batch)
                if feeds is None or (isinstance(feeds, Mapping) and not feeds):
                    raise ValueError("it returned nothing")
                check(feeds)
            except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the reason that is shown
                reason = getattr(error, "message", "") or f"{type(error).__name__}: {error}"
                self.dropped.append(plain_text(f"{item.name}: {reason}", 500))
            else:
                kept.append(item)
        self.items, self._next = kept, 0
        return "; ".join(self.dropped)


def load_processing(
    asked: Mapping[str, Any],
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    dims: Mapping[str, int],
    batch: int,
) -> Processing:
    """The pipeline `asked["factory"]` ("package.module:callable") with the items in the files `asked["items"]`.

    Raises whatever importing and making it raises; the caller makes a reason of it.
    """
    module, _, attribute = asked["factory"].partition(":")
    make = getattr(importlib.import_module(module), attribute)
    pipeline = make(asked["implementation"], tuple(inputs), tuple(outputs), dict(dims))
    items = [Item(Path(path).name, Path(path).read_bytes()) for path in asked["items"]]
    return Processing(pipeline, items, batch)
