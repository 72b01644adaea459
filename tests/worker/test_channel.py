"""Messages keep their parts, whatever their size; a closed or foreign channel is an error, not a hang."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from harness.worker.channel import ChannelClosedError, Message, receive, send


@pytest.fixture
def pair():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    a.settimeout(20)
    b.settimeout(20)
    yield a, b
    a.close()
    b.close()


@pytest.mark.parametrize("size", [0, 1, 70_000, 9_000_000])
def test_a_message_arrives_as_sent(pair, size: int) -> None:
    a, b = pair
    payload = os.urandom(size)
    sender = threading.Thread(target=send, args=(a, Message({"op": "x", "n": [1, 2.5, "é"]}, payload)))
    sender.start()
    got = receive(b)
    sender.join()
    assert got.head == {"op": "x", "n": [1, 2.5, "é"]}
    assert got.payload == payload
    assert got.fds == ()


def test_several_messages_keep_their_borders_and_descriptors(pair) -> None:
    a, b = pair
    read_end, write_end = os.pipe()
    send(a, Message({"n": 1}))
    send(a, Message({"n": 2}, b"abc", (write_end,)))
    send(a, Message({"n": 3}))
    assert receive(b).head == {"n": 1}
    second = receive(b)
    assert (second.head, second.payload) == ({"n": 2}, b"abc")
    os.write(second.fds[0], b"through the passed pipe")
    assert os.read(read_end, 100) == b"through the passed pipe"
    assert receive(b).head == {"n": 3}
    for fd in (read_end, write_end, *second.fds):
        os.close(fd)


def test_the_end_is_an_error(pair) -> None:
    a, b = pair
    a.close()
    with pytest.raises(ChannelClosedError):
        receive(b)


def test_half_a_message_is_an_error(pair) -> None:
    a, b = pair
    a.sendall(b"\0\0\0\x0a" + b"\0" * 8 + b"{")
    a.close()
    with pytest.raises(ChannelClosedError, match="middle of a message"):
        receive(b)


def test_foreign_bytes_are_refused_without_allocating_them(pair) -> None:
    a, b = pair
    a.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ChannelClosedError, match="not one of ours"):
        receive(b)


def test_silence_is_a_timeout(pair) -> None:
    _, b = pair
    b.settimeout(0.05)
    with pytest.raises(TimeoutError):
        receive(b)
