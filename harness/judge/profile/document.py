"""The whole of `harness profile` in one record: what `--json` writes and its page shows."""

from __future__ import annotations

from harness.judge.profile.table import ProfileTable, make_table
from harness.records import Record
from harness.records.profile import ProfileRecord


class ProfileDocument(Record):
    """The raw record, and the table that follows from it."""

    record: ProfileRecord
    table: ProfileTable
    exit_code: int


def document_of(record: ProfileRecord) -> ProfileDocument:
    """Judge a record: exit code 0 when every contender was profiled, 1 when some were not, 3 when none was."""
    done = sum(bool(profile.layers) for profile in record.profiles)
    code = 3 if not done else 0 if done == len(record.profiles) else 1
    return ProfileDocument(record=record, table=make_table(record), exit_code=code)
