"""Messages between parent and worker: a JSON head, optional bytes, optional file descriptors.

They travel over a Unix socket of their own, so that whatever an engine prints to stdout or stderr cannot be
mistaken for an answer. Standard library only.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from typing import Any, NamedTuple

_HEAD = struct.Struct("!IQ")
_MAX_FDS = 4
_MAX_JSON = 64 * 2**20


class ChannelClosedError(Exception):
    """The other side is gone."""


class Message(NamedTuple):
    """One message. Whoever receives it owns (and closes) the file descriptors."""

    head: dict[str, Any]
    payload: bytes = b""
    fds: tuple[int, ...] = ()


def send(sock: socket.socket, message: Message) -> None:
    """Send `message`; raises ChannelClosedError when the other side is gone."""
    text = json.dumps(message.head, separators=(",", ":")).encode()
    data = _HEAD.pack(len(text), len(message.payload)) + text
    try:
        sent = socket.send_fds(sock, [data], list(message.fds)) if message.fds else sock.send(data)
        sock.sendall(data[sent:])
        if message.payload:
            sock.sendall(message.payload)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise ChannelClosedError(str(error)) from error


def receive(sock: socket.socket) -> Message:
    """Receive one message; raises ChannelClosedError at the end, TimeoutError after the socket's timeout."""
    head, fds = _receive_head(sock)
    try:
        text_size, payload_size = _HEAD.unpack(head)
        if text_size > _MAX_JSON:
            raise ChannelClosedError(f"a message of {text_size} bytes is not one of ours")
        body = json.loads(_receive_exactly(sock, text_size))
        payload = bytes(_receive_exactly(sock, payload_size)) if payload_size else b""
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    return Message(body, payload, fds)


def _receive_head(sock: socket.socket) -> tuple[bytes, tuple[int, ...]]:
    fds: array.array[int] = array.array("i")
    space = socket.CMSG_SPACE(_MAX_FDS * fds.itemsize)
    try:
        data, ancillary, _flags, _address = sock.recvmsg(_HEAD.size, space)
    except ConnectionResetError as error:
        raise ChannelClosedError(str(error)) from error
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    if not data:
        raise ChannelClosedError("the channel was closed")
    if len(data) < _HEAD.size:
        data += bytes(_receive_exactly(sock, _HEAD.size - len(data)))
    for fd in fds:
        os.set_inheritable(fd, False)
    return data, tuple(fds)


def _receive_exactly(sock: socket.socket, size: int) -> bytearray:
    buffer = bytearray(size)
    view = memoryview(buffer)
    done = 0
    while done < size:
        try:
            count = sock.recv_into(view[done:])
        except ConnectionResetError as error:
            raise ChannelClosedError(str(error)) from error
        if count == 0:
            raise ChannelClosedError("the channel was closed in the middle of a message")
        done += count
    return buffer
