"""The historical database: open it, write to it, and ask it.

What is written is on the disk when the method returns. Each file beside this one does one part;
here they are put behind one object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from sqlalchemy import Connection, Engine

from harness.errors import StorageError
from harness.records import Result, Run
from harness.records.parity_check import ParityRecord
from results import (
    checkpoints,
    comparable,
    conformance,
    migrate,
    parity_checks,
    queries,
    series,
    sqlite,
    summaries,
    write,
)
from results.location import Location, locate
from results.parity_checks import ParityPoint
from results.series import MetricPoint
from results.summaries import RunSummary

if TYPE_CHECKING:
    from harness.judge.comparison import Estimate
    from harness.records.conformance import CaseResult
    from results.conformance import RecordedVersion

WAIT_S = 30.0


class NoDatabaseError(StorageError):
    """There is no database at the place named; with `create=True` one would have been made."""


def open_store(url: str | None = None, *, create: bool = True, wait_s: float = WAIT_S) -> Store:
    """Open the database that `url` (from `--db`), HARNESS_DB or the default names; use it as a context manager.

    A missing one is made, unless `create` is False: then NoDatabaseError. An older one is migrated after a backup
    beside it (`Store.backup`). `wait_s` is how long to wait for another writer. Raises UsageError for a place that
    cannot be a database, StorageError for one that cannot be used: of a newer harness, of another program,
    damaged, locked, read-only, no space.
    """
    place = locate(url)
    if not sqlite.check_file(place.path):
        if not create:
            raise NoDatabaseError(
                f"there is no database at {place.where} (named by {place.source})",
                "Measure something first, e.g. `harness compare torch ort --model resnet50`, or name a file "
                "with --db.",
            )
        sqlite.make_folder(place.path)
    with sqlite.explained(place.path):
        backup = migrate.bring_to_head(place.path, wait_s)
    return Store(place, sqlite.make_engine(place.path, wait_s), backup)


class Store:
    """An open database. Every method raises StorageError when the database cannot be read or written."""

    def __init__(self, place: Location, engine: Engine, backup: Path | None = None) -> None:
        self.backup = backup
        """Where the database was copied to before it was migrated; None when it was not."""
        self._place = place
        self._engine = engine

    @property
    def url(self) -> str:
        """The database as a URL, which `--db` takes."""
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def where(self) -> str:
        """The database as a person reads it: the file's full path."""
        return self._place.where

    def close(self) -> None:
        """Let go of the database; calling it twice is fine."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing

    def begin_run(self, run: Run) -> None:
        """Save that this process is measuring `run`. A run that is there already is resumed: its record stays.

        Raises StorageError when the run that is there has another plan key.
        """
        with self._writing() as connection:
            write.begin_run(connection, run)

    def save_result(self, result: Result, metrics: Mapping[str, Estimate] | None = None) -> None:
        """Save one result with its raw samples, and `metrics` (name -> estimate, e.g. "p50") when given.

        The run must have begun. Saving the same result again changes nothing, except that `metrics`, when given,
        take the place of those there. Raises StorageError for another result with the same id.
        """
        with self._writing() as connection:
            write.save_result(connection, result, metrics)

    def finish_run(
        self, run_id: str, status: Literal["finished", "interrupted", "failed"], exit_code: int
    ) -> None:
        """Save how a run ended. Its checkpoints are dropped, unless it was interrupted and can be resumed."""
        with self._writing() as connection:
            write.finish_run(connection, run_id, status, exit_code)

    def save_checkpoint(self, run_id: str, group_key: str, trial: int, payload: Mapping[str, Any]) -> None:
        """Save what one trial of a group in progress gave; a trial that is there already is replaced.

        `payload` must be JSON values. Raises TypeError for others.
        """
        with self._writing() as connection:
            checkpoints.save(connection, run_id, group_key, trial, payload)

    def drop_checkpoints(self, run_id: str, group_key: str) -> None:
        """Forget the trials of one group: it is complete, or begins again."""
        with self._writing() as connection:
            checkpoints.drop(connection, run_id, group_key)

    def save_parity_check(self, record: ParityRecord) -> None:
        """Save the one check that `record` holds; its id is the run's, which must have begun.

        A check that is there under its id is replaced: it may have gained layers or accuracy since.
        """
        with self._writing() as connection:
            parity_checks.save(connection, record)

    def save_conformance(
        self,
        run_id: str,
        contender: str,
        backend: str,
        engine_version: str,
        results: Sequence[CaseResult],
    ) -> None:
        """Save outcomes of conformance cases; `contender` is its text without a version. The run must have begun."""
        with self._writing() as connection:
            conformance.save(connection, run_id, contender, backend, engine_version, results)

    # Reading: one run

    def checkpoints(self, run_id: str, group_key: str) -> list[dict[str, Any]]:
        """The payloads of a group's trials, in the order of trials."""
        with self._reading() as connection:
            return checkpoints.read(connection, run_id, group_key)

    def unfinished_run(self, plan_key: str, machine_id: str, max_age: timedelta) -> Run | None:
        """The newest run of this plan on this machine that was killed or interrupted, started in `max_age`.

        A run that a living process is measuring is not one: two of the same command run side by side.
        """
        with self._reading() as connection:
            return queries.unfinished_run(connection, plan_key, machine_id, max_age)

    def run(self, run: str) -> Run:
        """The run with this id, or the only one whose id begins so. Raises InputError for none or several."""
        with self._reading() as connection:
            return queries.run(connection, run)

    def results_of(self, run_id: str) -> list[Result]:
        """All results of a run (full id), oldest first."""
        with self._reading() as connection:
            return queries.results_of(connection, run_id)

    def group(self, group_id: str) -> list[Result]:
        """All results of a group, oldest first; empty when there is none."""
        with self._reading() as connection:
            return queries.group(connection, group_id)

    def metrics_of(self, result_id: str) -> dict[str, Estimate]:
        """The metrics saved with a result, by name."""
        with self._reading() as connection:
            return queries.metrics_of(connection, result_id)

    def parity_record(self, run: Run) -> ParityRecord | None:
        """What a run of `harness parity` found; None when it has no check."""
        with self._reading() as connection:
            status = queries.run_status(connection, run.id)
            return parity_checks.record_of(connection, run, interrupted=status == "interrupted")

    def conformance_of(self, run_id: str) -> dict[str, tuple[str, list[CaseResult]]]:
        """Contender -> (engine version, outcomes by name of case) of one run."""
        with self._reading() as connection:
            return conformance.of_run(connection, run_id)

    # Reading: across runs

    def conformance_versions(self, contender: str) -> list[RecordedVersion]:
        """Versions of a contender's engine with conformance outcomes on record, the one run last first."""
        with self._reading() as connection:
            return conformance.versions(connection, contender)

    def conformance_on_record(self, contender: str, engine_version: str) -> list[CaseResult]:
        """The newest outcome of every case for one version of a contender's engine, by name of case."""
        with self._reading() as connection:
            return conformance.on_record(connection, contender, engine_version)

    def conformance_contenders(self) -> list[str]:
        """Every contender with conformance outcomes on record."""
        with self._reading() as connection:
            return conformance.contenders(connection)

    def runs(
        self, limit: int = 20, *, model: str | None = None, machine_id: str | None = None
    ) -> list[RunSummary]:
        """The newest runs, newest first; with `model`, those that have a result of it."""
        with self._reading() as connection:
            return summaries.runs(connection, limit, model, machine_id)

    def series(
        self,
        model: str,
        contender: str | None = None,
        *,
        metric: str = "p50",
        batch: int | None = None,
        threads: int | None = None,
        machine_id: str | None = None,
        limit: int | None = None,
    ) -> list[MetricPoint]:
        """One metric over time, oldest first; the newest `limit` points.

        Without `contender`, `batch`, `threads` or `machine_id` the points of several series come together:
        `MetricPoint.series` tells them apart. Results that have no such metric are there with a value of None.
        """
        with self._reading() as connection:
            return series.series(connection, model, contender, metric, batch, threads, machine_id, limit)

    def latest_group(
        self,
        model: str,
        contenders: Sequence[str],
        batch: int | None = None,
        threads: int | None = None,
        machine_id: str | None = None,
        *,
        measured_only: bool = False,
    ) -> list[Result]:
        """Results of `contenders` (canonical texts, in this order) from the newest group that has all of them.

        They were measured in the same rounds, so their figures can be paired. None as batch, threads or machine
        takes any. A contender that could not be measured counts as being there, so that a fresh failure is not
        hidden by an older success; `measured_only` passes such groups over. No contenders: all of the newest
        group. Empty when there is no such group: `contenders_of` says what there is.
        """
        with self._reading() as connection:
            return comparable.latest_group(
                connection, model, contenders, batch, threads, machine_id, measured_only
            )

    def contenders_of(
        self,
        model: str,
        batch: int | None = None,
        threads: int | None = None,
        machine_id: str | None = None,
    ) -> dict[str, datetime]:
        """Every contender that has a result of this model and variant, and when its newest was made."""
        with self._reading() as connection:
            return comparable.contenders_of(connection, model, batch, threads, machine_id)

    def metric_names(self, model: str) -> list[str]:
        """Names of all metrics that were saved with results of this model, sorted."""
        with self._reading() as connection:
            return comparable.metric_names(connection, model)

    def models(self) -> dict[str, datetime]:
        """Every model that has a result, and when its newest was made."""
        with self._reading() as connection:
            return comparable.models(connection)

    def parity_points(
        self, model: str, contender: str | None = None, *, limit: int | None = None
    ) -> list[ParityPoint]:
        """Parity checks of a model over time, oldest first; the newest `limit`."""
        with self._reading() as connection:
            return parity_checks.points(connection, model, contender, limit)

    def parity_contenders(self, model: str) -> list[str]:
        """Contenders whose parity on `model` was checked."""
        with self._reading() as connection:
            return parity_checks.contenders_of(connection, model)

    def parity_models(self) -> dict[str, datetime]:
        """Every model that has a parity check, and when its newest was made."""
        with self._reading() as connection:
            return parity_checks.models(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with (
            sqlite.explained(self._place.path),
            queries.decoding(self.where),
            self._engine.begin() as connection,
        ):
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with (
            sqlite.explained(self._place.path),
            self._engine.connect().execution_options(**{sqlite.WRITE: True}) as connection,
            connection.begin(),
        ):
            yield connection
