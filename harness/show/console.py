"""Where text goes: a rich console that is plain when nobody watches."""

from __future__ import annotations

import os
import sys
from typing import IO

from rich.console import Console

PLAIN_WIDTH = 120


class PatientConsole(Console):
    """Goes on when the reader of its output has gone (`harness compare ... | head`): measuring must still end well."""

    def on_broken_pipe(self) -> None:
        """Throw away what comes from here on, instead of ending the program."""
        self.quiet = True
        silence(sys.stderr if self.stderr else sys.stdout)


def make_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console for stdout or stderr. Away from a terminal lines are wide enough not to be broken up."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream is not None and stream.isatty() else PLAIN_WIDTH
    return PatientConsole(
        stderr=stderr, width=width, quiet=quiet, highlight=False, soft_wrap=False, emoji=False
    )


def silence(stream: IO[str]) -> None:
    """Let the stream lead nowhere, so that flushing it at the end of the program cannot fail either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
