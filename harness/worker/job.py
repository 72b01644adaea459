"""Runs one function in this worker: exporting, inspecting or evaluating a model is as guarded as an engine."""

from __future__ import annotations

import importlib
import os

from harness.worker.channel import Message
from harness.worker.tensors import pack, unpack


def run_job(request: Message) -> Message:
    """Call "module:function" with (arguments, arrays); it returns (answer, arrays)."""
    arrays = unpack(request.fds[0], request.head["layout"]) if request.fds else {}
    module, _, function = request.head["function"].partition(":")
    call = getattr(importlib.import_module(module), function)
    answer, results = call(request.head["arguments"], arrays)
    if not results:
        return Message({"answer": answer, "pid": os.getpid()})
    fd, layout = pack(results)
    return Message({"answer": answer, "layout": layout, "pid": os.getpid()}, fds=(fd,))
