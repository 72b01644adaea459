"""Values of intermediate tensors of one contender, as an answer: what there is, and what was asked for and is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.base import Backend
from backends.contract import Artefact, Feeds, ModelSource, Variant
from harness.worker.channel import Message
from harness.worker.plain import plain_text
from harness.worker.tensors import pack, unpack


def intermediates(
    backend: Backend,
    source: ModelSource,
    artefact: Artefact,
    variant: Variant,
    feeds: Feeds,
    tensors: Sequence[str],
) -> Message:
    """Answers {"tensors": all that there are, "missing": those asked for and not there, "layout": of the values}.

    The values are in the order in which `tensors` names them. Without `tensors` nothing runs.
    """
    there = backend.intermediate_tensors(source, artefact, variant, feeds)
    answer: dict[str, Any] = {
        "tensors": [plain_text(name) for name in there],
        "missing": [name for name in tensors if name not in there],
    }
    if not tensors:
        return Message(answer)
    fd, layout = pack(backend.intermediates(source, artefact, variant, feeds, tensors))
    return Message({**answer, "layout": layout}, fds=(fd,))


def run_part(
    backend: Backend,
    source: ModelSource,
    artefact: Artefact,
    variant: Variant,
    feeds: Feeds,
    request: Message,
) -> Message:
    """See `Backend.run_part`: "target", "folder", and the given tensors with their "layout". Answers a "layout"."""
    head = request.head
    given = unpack(request.fds[0], head["layout"])
    target = head["target"]
    value = backend.run_part(source, artefact, variant, feeds, given, target, Path(head["folder"]))
    fd, layout = pack({target: value})
    return Message({"layout": layout}, fds=(fd,))
