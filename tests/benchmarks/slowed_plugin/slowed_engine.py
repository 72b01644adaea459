"""ONNX Runtime made slower by a known share: the truth for measuring how often a slowdown is found.

A plug-in as third parties write them: a distribution with an entry point in `harness.backends`, found because this
folder is on the path. After every timed call it spins for a share of the time that the call took (option `share`,
default 5%). A clock in an adapter is otherwise forbidden; here taking time is the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.base import Backend, Session
from backends.contract import Array, Artefact, Capabilities, Feeds, ModelSource, Probe, Variant
from backends.options import share
from backends.ort_engine import OrtBackend


class SlowedSession(Session):
    """A session of ONNX Runtime whose timed call takes longer."""

    def __init__(self, inner: Session, slowdown: float) -> None:
        super().__init__(inner.inputs, inner.outputs)
        self._inner = inner
        self._slowdown = slowdown
        self._call: Callable[[], object] = inner.infer

    def _prepare(self, feeds: Feeds) -> None:
        self._inner.prepare(feeds)
        self._call = self._inner.timed_call()

    def _infer(self) -> None:
        clock = time.perf_counter_ns
        start = clock()
        self._call()
        now = clock()
        end = now + int((now - start) * self._slowdown)
        while clock() < end:
            pass

    def _download(self) -> dict[str, Array]:
        return self._inner.download()

    def effective(self) -> dict[str, Any]:
        """As ONNX Runtime says, and the share."""
        return self._inner.effective() | {"slowed_by": self._slowdown}

    def _close(self) -> None:
        self._inner.close()


class SlowedBackend(Backend):
    """ONNX Runtime on the CPU, slower."""

    name = "slowed"

    def __init__(self) -> None:
        self._inner = OrtBackend()

    def probe(self) -> Probe:
        """Whether ONNX Runtime is here."""
        return self._inner.probe()

    def capabilities(self, flavour: str = "") -> Capabilities:
        """Those of ONNX Runtime, and the option `share`."""
        can = self._inner.capabilities(flavour)
        return replace(
            can, options={**can.options, "share": "share of a call's time that is added, e.g. 0.05"}
        )

    def _build(self, source: ModelSource, variant: Variant, folder: Path) -> Artefact:
        return self._inner.build(source, _without_share(variant), folder)

    def _load(self, source: ModelSource, artefact: Artefact, variant: Variant) -> Session:
        inner = self._inner.load(source, artefact, _without_share(variant))
        return SlowedSession(inner, share(variant.options, "share", 0.05))


def _without_share(variant: Variant) -> Variant:
    return replace(
        variant, options={name: value for name, value in variant.options.items() if name != "share"}
    )
