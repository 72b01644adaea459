"""Answers the parent's requests one by one. An error becomes an answer; the parent decides what it means."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable

from harness.worker.canary import Canary
from harness.worker.channel import ChannelClosedError, Message, receive, send
from harness.worker.contender import ContenderHost
from harness.worker.job import run_job
from harness.worker.plain import plain_text

Handler = Callable[[Message], Message]
_LONGEST = 4000
"""Characters of a message that are kept."""


def serve(sock: socket.socket) -> None:
    """Answer requests until the channel is closed."""
    host = ContenderHost()
    canary: list[Canary] = []

    def sing(request: Message) -> Message:
        if not canary:
            canary.append(Canary())
        return canary[0].sing(request)

    handlers: dict[str, Handler] = {
        "hello": _hello,
        "job": run_job,
        "canary": sing,
        "probe": host.probe,
        "open": host.open,
        "build": host.build,
        "load": host.load,
        "feeds": host.feeds,
        "outputs": host.outputs,
        "first": host.first,
        "warm": host.warm,
        "block": host.block,
        "fresh": host.fresh,
        "stages": host.stages,
        "usage": host.usage,
        "profile": host.profile,
        "intermediates": host.intermediates,
        "part": host.part,
        "requests": host.requests,
        "window": host.window,
        "effective": host.effective,
        "graph": host.graph,
        "close": host.close,
    }
    while True:
        try:
            request = receive(sock)
        except ChannelClosedError:
            return
        reply = _answer(handlers[request.head["op"]], request)
        try:
            _send(sock, reply)
        except ChannelClosedError:
            return
        finally:
            for fd in reply.fds:
                os.close(fd)


def _send(sock: socket.socket, reply: Message) -> None:
    try:
        send(sock, reply)
    except (TypeError, ValueError) as error:  # an answer that is no JSON: nothing of it has been sent
        send(sock, Message({"error": describe_error(error)}))


def _hello(_request: Message) -> Message:
    import numpy

    return Message({"pid": os.getpid(), "python": sys.version.split()[0], "numpy": numpy.__version__})


def _answer(handler: Handler, request: Message) -> Message:
    try:
        return handler(request)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is answered, not swallowed
        return Message({"error": describe_error(error)})


def describe_error(error: BaseException) -> dict[str, str]:
    """An exception as plain strings: kind, type, message, hint, traceback."""
    kind = "out_of_memory" if isinstance(error, MemoryError) else str(getattr(error, "kind", "raised"))
    wordless = "no more memory could be allocated" if kind == "out_of_memory" else type(error).__name__
    return {
        "kind": kind,
        "type": type(error).__name__,
        "message": plain_text(getattr(error, "message", "") or str(error) or wordless, _LONGEST),
        "hint": plain_text(getattr(error, "hint", ""), _LONGEST),
        "traceback": plain_text("".join(traceback.format_exception(error))[-8000:]),
    }
