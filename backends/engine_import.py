"""Import of an engine's module, with a stated reason when it is not there or broken."""

from __future__ import annotations

import importlib
from typing import Any

from backends.contract import UnavailableError


def import_engine(module: str, install: str) -> Any:
    """The engine's module. Raises UnavailableError with the import's own error and the install command."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == module.partition(".")[0]:
            raise UnavailableError(f"{module} is not installed; install it with: {install}") from error
        raise UnavailableError(f"{module} does not import: {error}") from error
    except Exception as error:
        raise UnavailableError(f"{module} does not import: {type(error).__name__}: {error}") from error
