"""A worker process as its parent holds it: started, asked with deadlines, frozen, and surely ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from harness.records import Failure, Status
from harness.run.outcome import MORE_MEMORY, Exit, classify_exit, means_out_of_memory
from harness.worker.channel import ChannelClosedError, Message, receive, send

_TAIL = 16_384
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(eq=False)
class WorkerFailure(Exception):
    """A request did not end well. `status` is a `harness.records.Status`."""

    status: Status
    phase: str
    kind: str
    message: str
    hint: str = ""
    exit_signal: str = ""
    stderr_tail: str = ""
    traceback: str = ""

    def __str__(self) -> str:
        return self.message

    def record(self) -> Failure:
        """As it goes into a result."""
        return Failure(
            phase=self.phase,
            kind=self.kind,
            message=self.message,
            hint=self.hint,
            exit_signal=self.exit_signal,
            stderr_tail=self.stderr_tail[-4000:],
            traceback=self.traceback,
        )


_STATUS_OF_KIND: dict[str, Status] = {
    "unavailable": "unavailable",
    "unsupported": "unsupported",
    "out_of_memory": "out_of_memory",
}


class Worker:
    """One worker process in a session of its own. Use as a context manager; leaving it ends the process."""

    def __init__(self, name: str, *, threads: int = 1, memory_limit: int | None = None) -> None:
        self.name = name
        self.frozen = False
        self.busy = False
        """An answer is outstanding: an interrupt came between a request and its answer."""
        self.memory_limit = memory_limit
        self._oom_kills = kernel_oom_kills()
        self._output: deque[bytes] = deque()
        self._output_size = 0
        self._killed = False
        self._exit: Exit | None = None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        read_end, write_end = os.pipe()
        environment = dict(os.environ)
        environment.update({variable: str(threads) for variable in _THREAD_VARIABLES})
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "harness.worker"),
                    *(str(theirs.fileno()), str(os.getpid()), str(memory_limit or 0)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                pass_fds=(theirs.fileno(),),
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            os.close(read_end)
            raise WorkerFailure(
                "failed",
                "start",
                type(error).__name__,
                f"no worker process can be started: {error.strerror}",
                "stop other processes, or raise the limits on processes and open files (`ulimit -a`)",
            ) from error
        except BaseException:
            ours.close()
            os.close(read_end)
            raise
        finally:
            theirs.close()
            os.close(write_end)
        self.pid = self._process.pid
        self._sock = ours
        self._pipe = read_end
        os.set_blocking(read_end, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(ours, selectors.EVENT_READ)
        self._selector.register(read_end, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def request(
        self,
        op: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        fds: Sequence[int] = (),
        deadline_s: float,
        phase: str = "",
        while_waiting: Callable[[], object] | None = None,
        every_s: float = 0.02,
    ) -> Message:
        """Send a request and wait for its answer, at most `deadline_s` seconds.

        `while_waiting` is called about every `every_s` seconds until the answer is there. Raises WorkerFailure when
        the worker answers with an error, dies, or lets the deadline pass (it is then killed). The answer's file
        descriptors belong to the caller.
        """
        phase = phase or op
        self.busy = True
        try:
            self._sock.settimeout(deadline_s)
            send(self._sock, Message({"op": op, **(arguments or {})}, fds=tuple(fds)))
            self._wait(deadline_s, while_waiting, every_s)
            reply = receive(self._sock)
            self.busy = False
        except TimeoutError:
            self.kill()
            raise WorkerFailure(
                "timeout",
                phase,
                "timeout",
                f"it did not end within {_seconds(deadline_s)}; the worker was killed",
                "raise --deadline if the model really needs longer",
                stderr_tail=self.output_tail(),
            ) from None
        except ChannelClosedError:
            raise self._death(phase) from None
        self._drain()
        if "error" in reply.head:
            error = reply.head["error"]
            status = _STATUS_OF_KIND.get(error["kind"], "failed")
            if error["kind"] == "raised" and means_out_of_memory(error["message"]):
                status = "out_of_memory"
            raise WorkerFailure(
                status,
                phase,
                error["kind"] if error["kind"] != "raised" else error["type"],
                error["message"],
                error["hint"] or (MORE_MEMORY if status == "out_of_memory" else ""),
                stderr_tail=self.output_tail(),
                traceback=error["traceback"],
            )
        return reply

    def freeze(self) -> None:
        """Stop the process and all it started, and wait until it stands still."""
        if self.frozen or self._exit is not None:
            return
        os.killpg(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self.frozen = True

    def thaw(self) -> None:
        """Let the process go on."""
        if self.frozen:
            os.killpg(self.pid, signal.SIGCONT)
            self.frozen = False

    def resident_bytes(self) -> int | None:
        """Resident memory of the process; None where the system does not tell."""
        return _status_bytes(self.pid, "VmRSS:")

    def peak_bytes(self) -> int | None:
        """Largest resident memory so far; None where the system does not tell."""
        return _status_bytes(self.pid, "VmHWM:")

    def kill(self) -> None:
        """Kill the process and all it started in its session."""
        if self._exit is None:
            self._killed = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._reap()

    def end(self) -> None:
        """End the process (kindly first) and free what the parent holds of it."""
        if self._exit is None and not self._killed and not self.frozen:
            self._sock.close()
            self._ends_within(0.5)
        # Whatever the process started may have outlived it: the group is killed in any case.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._reap()
        self._selector.close()
        self._sock.close()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def output_tail(self) -> str:
        """The end of what the process printed to stdout and stderr."""
        self._drain()
        return b"".join(self._output)[-_TAIL:].decode(errors="replace")

    def _wait(self, seconds: float, meanwhile: Callable[[], object] | None, every_s: float) -> None:
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            events = self._selector.select(left if meanwhile is None else min(left, every_s))
            if meanwhile is not None and not events:
                meanwhile()
            if any(key.fileobj is self._sock for key, _ in events):
                return
            if events and not self._drain():
                self._selector.unregister(self._pipe)

    def _drain(self) -> bool:
        """Read what was printed, keep the end of it; False when the pipe is closed."""
        if self._pipe < 0:
            return False
        for _ in range(64):
            try:
                data = os.read(self._pipe, 65_536)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._output.append(data)
            self._output_size += len(data)
            while self._output_size - len(self._output[0]) >= _TAIL:
                self._output_size -= len(self._output.popleft())
        return True

    def _reap(self) -> Exit:
        if self._exit is None:
            _pid, status, usage = os.wait4(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self._process.returncode = code
            self._exit = Exit(code, self._killed, usage.ru_maxrss * 1024)
        return self._exit

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return True
            time.sleep(0.002)
        return False

    def _death(self, phase: str) -> WorkerFailure:
        if self._exit is None and not self._ends_within(1.0):
            self._killed = True  # it closed its channel but lives on
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        left = self._reap()
        tail = self.output_tail()
        status, message, hint = classify_exit(
            left, tail, self.memory_limit, kernel_oom_kills() > self._oom_kills
        )
        return WorkerFailure(
            status, phase, status, message, hint, exit_signal=left.signal_name, stderr_tail=tail
        )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:g} s"


def kernel_oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since boot; 0 where it does not tell."""
    try:
        with open("/proc/vmstat", encoding="ascii") as file:  # noqa: PTH123 - hot path
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except (OSError, ValueError):
        return 0
    return 0


def _status_bytes(pid: int, field: str) -> int | None:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - hot path
            for line in file:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None
