"""Entry point of a worker process: `python -P -m harness.worker SOCKET_FD PARENT_PID MEMORY_LIMIT`."""

from __future__ import annotations

import faulthandler
import socket
import sys

from harness.worker import guard


def main() -> int:
    """Guard this process, then answer requests until the parent closes the channel."""
    fd, parent, limit = (int(word) for word in sys.argv[1:4])
    guard.die_with_parent(parent)
    guard.be_first_victim()
    guard.no_core_dump()
    faulthandler.enable()
    sock = socket.socket(fileno=fd)

    from harness.worker.serve import serve

    guard.limit_memory(limit or None)
    serve(sock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
