"""The conformance cases as the parent holds them: their index, expected outputs, and which were asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from harness.errors import InputError
from harness.judge.conformance.outcome import Expected
from harness.records.conformance import CaseFacts
from harness.run.jobs import run_job
from harness.run.observer import Observer
from harness.run.worker import WorkerFailure

EXPORT_DEADLINE_S = 300.0


@dataclass(frozen=True)
class ConformanceCase:
    """One case; `reason` says why our contract cannot carry it, empty where it can."""

    facts: CaseFacts
    reason: str
    entry: Mapping[str, Any]


@dataclass(frozen=True)
class CaseSet:
    """Cases of one version of onnx, and the files they lie in (see `suites.onnx_cases`)."""

    onnx: str
    folder: Path
    cases: tuple[ConformanceCase, ...]

    @property
    def models(self) -> Path:
        """All models, end to end."""
        from suites.onnx_cases import MODELS

        return self.folder / MODELS

    @property
    def tensors(self) -> Path:
        """All tensors, end to end."""
        from suites.onnx_cases import TENSORS

        return self.folder / TENSORS

    def expected(self, case: ConformanceCase) -> Expected:
        """What the case asks for, its expected outputs mapped from the file."""
        from backends.dtypes import dtype_of

        mapped = np.memmap(self.tensors, dtype=np.uint8, mode="r")

        def array(place: Mapping[str, Any]) -> Array:
            # A copy: the file's alignment is not that of every dtype's elements, and the mapping goes.
            data = np.array(mapped[place["offset"] : place["offset"] + place["bytes"]])
            return data.view(dtype_of(place["dtype"])).reshape(tuple(place["shape"]))

        entry = case.entry
        outputs = [
            [(place["name"], array(place)) for place in data["outputs"]]
            for data in entry.get("data_sets", ())
        ]
        return Expected(case.facts, outputs, entry["rtol"], entry["atol"], entry["random"])


def load_cases(observer: Observer) -> CaseSet:
    """All cases of the onnx package that is installed, exported into the cache once. Raises InputError."""
    from suites.onnx_cases import INDEX, KINDS

    try:
        folder, version = _export(observer)
    except WorkerFailure as failure:
        raise InputError(
            f"the conformance cases cannot be had: {failure.message}",
            failure.hint or "they come with the package onnx: pip install onnx",
        ) from None
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    cases = [ConformanceCase(_facts(entry), entry["reason"], entry) for entry in index]
    # Whole networks take longest: begun first, they do not end last.
    cases.sort(key=lambda case: (-KINDS.index(case.facts.kind), case.facts.name))
    return CaseSet(version, folder, tuple(cases))


def _export(observer: Observer) -> tuple[Path, str]:
    from importlib.metadata import PackageNotFoundError, version

    from suites.errors import ModelError
    from suites.onnx_cases import find_export

    try:
        installed = version("onnx")
        entry = find_export(installed)
    except PackageNotFoundError:
        entry, installed = None, ""
    except ModelError as error:
        raise InputError(error.message, error.hint) from None
    if entry is not None:
        return entry.folder, installed
    observer.say("Exporting the ONNX project's test cases, once (kept in the model cache) ...")
    answer, _ = run_job(
        "suites.onnx_cases:export", {}, deadline_s=EXPORT_DEADLINE_S, phase="export of the cases"
    )
    return Path(answer["folder"]), str(answer["onnx"])


def _facts(entry: Mapping[str, Any]) -> CaseFacts:
    return CaseFacts(
        name=entry["name"],
        kind=entry["kind"],
        operator=entry["operator"],
        opset=entry["opset"],
        dtypes=tuple(entry["dtypes"]),
        sha256=entry["sha256"],
    )


def select_cases(
    cases: CaseSet,
    *,
    kinds: Sequence[str] = (),
    globs: Sequence[str] = (),
    operators: Sequence[str] = (),
    opsets: Sequence[int] = (),
) -> CaseSet:
    """The cases that fit every flag that was given. Raises InputError, naming the flag that fits none."""
    kept = [case for case in cases.cases if not kinds or case.facts.kind in kinds]
    for glob in globs:
        if not any(_fits(case, glob) for case in cases.cases):
            raise InputError(f"--case {glob!r}: no case has such a name{_near(glob, cases)}")
    known = {case.facts.operator.lower() for case in cases.cases}
    for operator in operators:
        if operator.lower() not in known:
            near = get_close_matches(operator.lower(), sorted(known), n=3)
            names = {case.facts.operator.lower(): case.facts.operator for case in cases.cases}
            suggestion = ", ".join(names[name] for name in near)
            raise InputError(
                f"--operator {operator}: no case is about that operator",
                f"did you mean {suggestion}?" if suggestion else "names are ONNX's, such as Conv or Softmax",
            )
    wanted = {operator.lower() for operator in operators}
    kept = [
        case
        for case in kept
        if (not globs or any(_fits(case, glob) for glob in globs))
        and (not wanted or case.facts.operator.lower() in wanted)
        and (not opsets or case.facts.opset in opsets)
    ]
    if not kept:
        there = ", ".join(str(opset) for opset in sorted({case.facts.opset for case in cases.cases}))
        raise InputError(
            "no case fits all of --kind, --case, --operator and --opset", f"opsets of the cases: {there}"
        )
    return replace(cases, cases=tuple(kept))


def _fits(case: ConformanceCase, glob: str) -> bool:
    name = case.facts.name
    return fnmatchcase(name, glob) or fnmatchcase(name.removeprefix("test_"), glob)


def _near(glob: str, cases: CaseSet) -> str:
    near = get_close_matches(glob, [case.facts.name for case in cases.cases], n=3)
    return f"; near: {', '.join(near)}" if near else ""
