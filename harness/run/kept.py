"""Small records kept in the harness's cache folder, one JSON file each, replaced whole."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import ValidationError

from harness.records import Record
from suites.cache import cache_root, entry_key
from suites.leftovers import sweep, temporary_name

R = TypeVar("R", bound=Record)


def load(kind: str, facts: dict[str, str], record: type[R]) -> R | None:
    """The record kept for `facts`; None when there is none, or when it is damaged or of an older make."""
    try:
        text = (cache_root() / kind / f"{entry_key(**facts)}.json").read_bytes()
        return record.model_validate_json(text)
    except (OSError, ValidationError):
        return None


def keep(kind: str, facts: dict[str, str], record: Record) -> str:
    """Keep a record for `facts` in place of an earlier one; returns why it could not be kept, or nothing."""
    folder = cache_root() / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        temporary = folder / temporary_name()
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(record.model_dump_json(indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / f"{entry_key(**facts)}.json")
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}"
    return ""
