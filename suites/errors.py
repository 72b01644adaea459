"""The one error of this room: a model or its input data is not usable."""

from __future__ import annotations


class ModelError(Exception):
    """Bad model or input data. `message` names what is wrong, with its value; `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message
