"""Records to rows and back. A result read back equals the one written, field by field.

One exception: infinity and NaN inside `effective`, whose values have no declared type, come back as the texts
"Infinity" and "NaN", as in every JSON form of the record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.records import Record, Result, Run
from results.packing import SAMPLES_LAYOUT, DamagedError, pack_samples, unpack_samples

Row = dict[str, Any]

SAMPLES = {"samples_ns": True, "window": {"ends_ns": True}}

# Kept in tables of their own: raw samples by trial, machine and environment once for all results.
APART = {
    "machine": True,
    "environment": True,
    "trials": {"__all__": {"warmup_ns": True, "rounds": {"__all__": SAMPLES}}},
}


def as_json(record: Record, apart: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The record as JSON values, without the fields in `apart`.

    Through the text form, because only that writes infinity as a string, which every database takes.
    """
    data: dict[str, Any] = json.loads(record.model_dump_json(exclude=dict(apart) if apart else None))
    return data


def content_row(record: Record) -> Row:
    """`hash` (SHA-256 of the canonical JSON) and `record`: the same content has the same hash."""
    data = as_json(record)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return {"hash": hashlib.sha256(text.encode()).hexdigest(), "record": data}


def run_row(run: Run, machine_hash: str, environment_hash: str) -> Row:
    """Columns of `runs` that come from the record."""
    return {
        "id": run.id,
        "name": run.name,
        "kind": run.kind,
        "plan_key": run.plan_key,
        "started_at": run.started_at,
        "machine_id": run.machine.id,
        "machine_hash": machine_hash,
        "environment_hash": environment_hash,
        "commit_id": run.environment.commit,
        "branch": run.environment.branch,
        "harness_version": run.environment.harness,
        "record": as_json(run, {"machine": True, "environment": True}),
    }


def result_row(result: Result, machine_hash: str, environment_hash: str) -> Row:
    """Columns of `results`."""
    case = result.case
    return {
        "id": result.id,
        "run_id": result.run_id,
        "group_id": result.group_id,
        "created_at": result.created_at,
        "schema_version": result.schema_version,
        "case_key": case.key,
        "model": case.model.name,
        "model_sha256": case.model.sha256,
        "contender": case.contender.text,
        "backend": case.contender.backend,
        "flavour": case.contender.flavour,
        "precision": case.contender.precision,
        "batch": case.variant.batch,
        "threads": case.variant.threads,
        "scenario": case.scenario,
        "status": result.status,
        "parity_status": result.parity.status if result.parity else None,
        "engine_version": result.engine_version,
        "commit_id": result.environment.commit,
        "machine_id": result.machine.id,
        "machine_hash": machine_hash,
        "environment_hash": environment_hash,
        "record": as_json(result, APART),
    }


def sample_rows(result: Result) -> list[Row]:
    """One row of `samples` a trial: its warm-up, the samples of each round, and of a closed loop the ends of each.

    Raises OverflowError for a time outside 64 bits.
    """
    return [
        {
            "result_id": result.id,
            "trial": place,
            "layout": SAMPLES_LAYOUT,
            "data": pack_samples(
                [
                    trial.warmup_ns,
                    *(block.samples_ns for block in trial.rounds),
                    *(block.window.ends_ns for block in trial.rounds if block.window is not None),
                ]
            ),
        }
        for place, trial in enumerate(result.trials)
    ]


def run_of(record: Row, machine: Row, environment: Row) -> Run:
    """The run from its parts. Raises pydantic's ValidationError when they are not a run's."""
    return Run.model_validate({**record, "machine": machine, "environment": environment})


def result_of(
    record: Row, machine: Row, environment: Row, packed: Sequence[tuple[int, int, bytes]]
) -> Result:
    """The result from its parts; `packed` holds (trial, layout, data) in the order of trials.

    Raises pydantic's ValidationError, or DamagedError when samples do not belong to the record.
    """
    trials = record["trials"]
    if [place for place, _, _ in packed] != list(range(len(trials))):
        raise DamagedError(f"samples of {len(packed)} of {len(trials)} trials are there")
    complete = []
    for trial, (_, layout, data) in zip(trials, packed, strict=True):
        warmup, *blocks = unpack_samples(data, layout)
        loops = [block["window"] for block in trial["rounds"] if block.get("window")]
        ends = blocks[len(trial["rounds"]) :]
        if len(blocks) != len(trial["rounds"]) + len(loops):
            raise DamagedError(f"samples of {len(blocks)} of {len(trial['rounds'])} rounds are there")
        rounds = [
            {**block, "samples_ns": values} for block, values in zip(trial["rounds"], blocks, strict=False)
        ]
        for window, values in zip(loops, ends, strict=True):
            window["ends_ns"] = values
        complete.append({**trial, "warmup_ns": warmup, "rounds": rounds})
    whole = {**record, "machine": machine, "environment": environment, "trials": complete}
    return Result.model_validate(whole)
