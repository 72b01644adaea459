"""Errors that a user sees, and the exit codes that scripts rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    NEGATIVE = 1
    """A gate failed, an engine computes the wrong thing, or a contender could not be measured."""
    USAGE = 2
    """Bad usage or bad input: a flag, a file, a key."""
    NOTHING_MEASURED = 3
    """Not one contender could be measured."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or a signal; what was measured is kept."""


class HarnessError(Exception):
    """An error to show without a traceback: `message` says what is wrong, `hint` what to do next."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(HarnessError):
    """A flag or its value is wrong."""


class InputError(HarnessError):
    """A file, or what is in it, is wrong."""


class StorageError(HarnessError):
    """The database or a results folder cannot be read or written."""
