"""Conformance as it is on record: the newest outcomes of a contender, and what it is to be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import InputError
from harness.judge.conformance.changes import changes_between
from harness.judge.conformance.document import Comparison
from harness.judge.conformance.versions import version_key
from harness.plan.contender import ContenderProblem, read_contender, without_version
from harness.records import ContenderRef
from harness.records.conformance import CaseResult, ConformanceRecord, EngineConformance
from results.conformance import RecordedVersion
from results.store import Store


@dataclass(frozen=True)
class Side:
    """One side of a comparison, and where it comes from."""

    words: str
    results: tuple[CaseResult, ...]


def recorded(store: Store, refs: Sequence[ContenderRef]) -> ConformanceRecord:
    """The newest outcomes on record of every contender, at the version that it names or else the newest.

    Machine and environment are those of the newest run among them. Raises InputError for a contender or version
    that is not on record.
    """
    engines, newest = [], []
    for ref in refs:
        version = _version(store, ref)
        results = store.conformance_on_record(without_version(ref), version.engine_version)
        newest.append(version)
        engines.append(
            EngineConformance(contender=ref, engine_version=version.engine_version, results=tuple(results))
        )
    run = store.run(max(newest, key=lambda version: version.last).run_id)
    return ConformanceRecord(
        run_id=run.id,
        created_at=run.started_at,
        machine=run.machine,
        environment=run.environment,
        onnx=run.environment.packages.get("onnx", ""),
        selection="on record",
        cases=max(len(engine.results) for engine in engines),
        engines=tuple(engines),
    )


def side_of(store: Store, ref: ContenderRef, against: str) -> Side:
    """What `against` names for this contender: a version, a contender with one, or a run (the start of its id).

    Raises InputError, naming the flag, when there is no such thing on record.
    """
    name = without_version(ref)
    known = _known(store, name)
    if any(version.engine_version == against for version in known):
        return _at(store, name, against)
    try:
        other = read_contender(against)
    except ContenderProblem:
        other = None
    if other is not None:
        other_name = without_version(other)
        there = _known(store, other_name)
        if there:
            wanted = other.version or there[0].engine_version
            if any(version.engine_version == wanted for version in there):
                return _at(store, other_name, wanted)
            raise InputError(f"--against {against}: that version is not on record", _versions_hint(there))
    try:
        run = store.run(against)
    except InputError:
        raise InputError(
            f"--against {against}: {name} has no such version on record, and no contender or run is called so",
            _versions_hint(known),
        ) from None
    found = store.conformance_of(run.id)
    if name not in found:
        raise InputError(
            f"--against {against}: run {run.id[:8]} has no conformance outcomes of {name}",
            f"it has: {', '.join(found) or 'none'}",
        )
    version, results = found[name]
    return Side(f"{name} {version}, run {run.id[:8]}", tuple(results))


def previous_side(store: Store, ref: ContenderRef, version: str) -> Side | None:
    """The version on record before this one, by their numbers; None when there is none."""
    name = without_version(ref)
    for other in _known(store, name):
        if version_key(other.engine_version) < version_key(version):
            return _at(store, name, other.engine_version)
    return None


def two_newest(store: Store, ref: ContenderRef, against: str | None) -> tuple[Side, Side]:
    """What is compared by `--changes`: the side before, and the version that the contender names or the newest.

    Raises InputError when there are not two on record.
    """
    now = _version(store, ref)
    after = _at(store, without_version(ref), now.engine_version)
    before = side_of(store, ref, against) if against else previous_side(store, ref, now.engine_version)
    if before is None:
        raise InputError(
            f"--changes: no version of {without_version(ref)} before {now.engine_version} is on record",
            "run `harness conformance` with another version installed, or name a run with --against",
        )
    return before, after


def compared(ref: ContenderRef, before: Side, after: Side, *, only_in: bool = False) -> Comparison:
    """What changed from one side to the other; `only_in`: cases that `after` did not run are left out."""
    old = before.results
    if only_in:
        names = {result.case.name for result in after.results}
        old = tuple(result for result in old if result.case.name in names)
    return Comparison(
        contender=ref.text,
        before=before.words,
        after=after.words,
        cases_before=len(old),
        cases_after=len(after.results),
        changes=changes_between(old, after.results),
    )


def _at(store: Store, name: str, version: str) -> Side:
    return Side(f"{name} {version}", tuple(store.conformance_on_record(name, version)))


def _known(store: Store, name: str) -> list[RecordedVersion]:
    """Versions on record, the newest by its number first."""
    versions = store.conformance_versions(name)
    return sorted(versions, key=lambda version: version_key(version.engine_version), reverse=True)


def _version(store: Store, ref: ContenderRef) -> RecordedVersion:
    name = without_version(ref)
    known = _known(store, name)
    if not known:
        there = store.conformance_contenders()
        raise InputError(
            f"{name} has no conformance outcomes on record in {store.where}",
            f"on record: {', '.join(there)}" if there else f"run `harness conformance {name}` first",
        )
    for version in known:
        if ref.version in ("", version.engine_version):
            return version
    raise InputError(f"{name} has no version {ref.version} on record", _versions_hint(known))


def _versions_hint(known: Sequence[RecordedVersion]) -> str:
    return f"versions on record: {', '.join(version.engine_version for version in known) or 'none'}"
