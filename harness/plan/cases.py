"""From a comparison's flags or a suite to a plan: groups of cases, their identities, and the plan's key."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from harness.errors import InputError, UsageError
from harness.judge.gate_types import ExpectedGroup, Gate, MeasuredGate, ParityGate
from harness.plan.contender import parse_contenders
from harness.plan.suite import Suite, SuiteGate
from harness.records import ContenderRef, Settings, VariantRef

SCENARIO = "single_stream"

_GATE: TypeAdapter[Gate] = TypeAdapter(Gate)


@dataclass(frozen=True)
class PlannedGroup:
    """The cases of one model, variant and scenario, measured in the same rounds.

    `model` says where to find the model (a built-in name or the path of an ONNX file), `name` what it is called.
    """

    key: str
    model: str
    variant: VariantRef
    scenario: str
    contenders: tuple[ContenderRef, ...]
    name: str
    pipeline: str = ""
    """Pre- and post-processing, NAME[:IMPLEMENTATION]; empty: the model's own; none: without."""
    items: tuple[Path, ...] = ()
    """Files to feed the pipeline with; empty: the shipped ones."""

    def case_keys(self) -> tuple[str, ...]:
        """Identities of the group's cases, in the order of the contenders."""
        return tuple(case_key(self.name, c, self.variant, self.scenario) for c in self.contenders)


@dataclass(frozen=True)
class Plan:
    """The cases of a run in groups, before anything is measured. Equal commands have equal keys."""

    name: str
    kind: Literal["compare", "suite"]
    groups: tuple[PlannedGroup, ...]
    settings: Settings
    gates: tuple[Gate, ...]
    inputs: Path | None
    key: str

    @property
    def expected(self) -> tuple[ExpectedGroup, ...]:
        """What `judge_gates` must find."""
        return tuple(
            ExpectedGroup(
                group.name,
                group.variant.batch,
                group.variant.threads,
                group.scenario,
                tuple(contender.text for contender in group.contenders),
            )
            for group in self.groups
        )


def case_key(model: str, contender: ContenderRef, variant: VariantRef, scenario: str) -> str:
    """The readable identity of a case over time, e.g. "resnet50 | ort | batch 1 | threads 2 | single_stream".

    Sizes of dynamic dimensions stand after the batch; a contender's options are part of its text.
    """
    return " | ".join((_part(model), _part(contender.text), *_variant_parts(variant), _part(scenario)))


def group_key(model: str, variant: VariantRef, scenario: str) -> str:
    """Like `case_key`, without the contender."""
    return " | ".join((_part(model), *_variant_parts(variant), _part(scenario)))


def model_name(model: str) -> str:
    """What a model is called: a built-in name as it is, an ONNX file by its name without suffix."""
    from suites.catalogue import BUILTINS

    if model in BUILTINS:
        return model
    if model.endswith(".onnx") or os.sep in model or Path(model).exists():
        return Path(model).stem
    return model


def model_dims(model: str, dims: Mapping[str, int]) -> dict[str, int]:
    """Sizes of dynamic dimensions in the order of their names: those given, else a built-in model's own."""
    from suites.catalogue import BUILTINS

    own = BUILTINS[model].dims if model in BUILTINS else {}
    return dict(sorted({**own, **dims}.items()))


def plan_comparison(
    contenders: Sequence[str],
    model: str,
    batch: Sequence[int],
    threads: Sequence[int],
    dims: Mapping[str, int],
    settings: Settings,
    inputs: Path | None,
    pipeline: str = "",
    items: Sequence[Path] = (),
) -> Plan:
    """Plan `harness compare`: one group for every batch with every number of threads, repeats dropped.

    Equal contenders are labelled apart (`ort`, `ort#2`). No gates: a comparison's exit code asks for parity and for
    complete measurement anyway. Raises UsageError for a contender, batch or thread count that cannot be, InputError
    for an inputs file that cannot be read.
    """
    if not contenders:
        raise UsageError("no contender is given", "name one or more engines, for example: ort openvino")
    refs = parse_contenders(contenders)
    for flag, values in (("--batch", batch), ("--threads", threads)):
        if not values:
            raise UsageError(f"{flag}: no value is given", "give a whole number from 1")
        for value in values:
            if value < 1:
                raise UsageError(f"{flag} {value}: out of range", "give a whole number from 1")
    name = model_name(model)
    groups = []
    for size, count in itertools.product(dict.fromkeys(batch), dict.fromkeys(threads)):
        variant = VariantRef(batch=size, threads=count, dims=model_dims(model, dims))
        key = group_key(name, variant, SCENARIO)
        groups.append(PlannedGroup(key, model, variant, SCENARIO, refs, name, pipeline, tuple(items)))
    title = f"{' vs '.join(ref.text for ref in refs)} on {name}"
    return make_plan(title, "compare", groups, settings, (), inputs)


def plan_suite(suite: Suite, default_threads: int) -> Plan:
    """Plan `harness run`: `auto` threads become `default_threads`. Every suite has the gate on parity.

    Raises InputError when the exclusions leave nothing on this machine.
    """
    threads = dict.fromkeys(default_threads if t == "auto" else t for t in suite.threads)
    groups = []
    for model, size, count, scenario in itertools.product(
        suite.models, suite.batch, threads, suite.scenarios
    ):
        contenders = tuple(
            c
            for c in suite.contenders
            if not any(e.matches(model.name, c.text, size, count, default_threads) for e in suite.exclude)
        )
        if not contenders:
            continue
        variant = VariantRef(batch=size, threads=count, dims=model_dims(model.model, model.dims))
        key = group_key(model.name, variant, scenario)
        groups.append(
            PlannedGroup(
                key, model.model, variant, scenario, contenders, model.name, model.pipeline, model.items
            )
        )
    if not groups:
        raise InputError(
            f"{suite.path}: exclude: leaves no case on this machine (auto threads: {default_threads})",
            "take an exclusion out",
        )
    gates = [_resolved(gate, default_threads) for gate in suite.gates]
    if not any(isinstance(gate, ParityGate) for gate in gates):
        gates.insert(0, ParityGate())
    return make_plan(suite.name, "suite", groups, suite.settings, gates, None)


def make_plan(
    name: str,
    kind: Literal["compare", "suite"],
    groups: Sequence[PlannedGroup],
    settings: Settings,
    gates: Sequence[Gate],
    inputs: Path | None,
) -> Plan:
    """A plan with its key."""
    key = plan_key(groups, settings, gates, inputs)
    return Plan(name, kind, tuple(groups), settings, tuple(gates), inputs, key)


def plan_key(
    groups: Sequence[PlannedGroup], settings: Settings, gates: Sequence[Gate], inputs: Path | None
) -> str:
    """SHA-256 over cases, settings, gates, and the bytes of the inputs and of the models given as files.

    Nothing of the time of the run goes in, so a command that is repeated finds its unfinished run. Raises InputError
    for an inputs file that cannot be read; a model that cannot is left for the runner to report.
    """
    models = dict.fromkeys(group.model for group in groups)
    content = {
        "cases": [list(group.case_keys()) for group in groups],
        "models": {model: _model_digest(model) for model in models},
        "pipelines": [[group.pipeline, *map(str, group.items)] for group in groups],
        "settings": settings.model_dump(mode="json"),
        "gates": [_GATE.dump_python(gate, mode="json") for gate in gates],
        "inputs": None if inputs is None else _inputs_digest(inputs),
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _resolved(gate: SuiteGate, default_threads: int) -> Gate:
    if not gate.auto_threads or isinstance(gate.gate, ParityGate | MeasuredGate):
        return gate.gate
    return gate.gate.model_copy(update={"threads": default_threads})


def _variant_parts(variant: VariantRef) -> tuple[str, ...]:
    dims = (f"{_part(name)} {size}" for name, size in sorted(variant.dims.items()))
    return (f"batch {variant.batch}", *dims, f"threads {variant.threads}")


def _part(text: str) -> str:
    """`text` with what would make two keys alike or break a line (`|`, `%`, control characters) as %XX."""
    return "".join(
        c
        if c.isprintable() and c not in "|%"
        else "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "surrogatepass"))
        for c in text
    )


def _model_digest(model: str) -> str:
    from suites.catalogue import BUILTINS

    path = Path(model)
    if model in BUILTINS or not path.is_file():
        return ""
    try:
        return _digest(path)
    except OSError:
        return ""


def _inputs_digest(path: Path) -> str:
    if not path.exists():
        raise InputError(
            f"--inputs {path}: there is no such file", "give a .npz file with arrays by input name"
        )
    if not path.is_file():
        raise InputError(f"--inputs {path}: not a file", "give a .npz file with arrays by input name")
    try:
        return _digest(path)
    except OSError as error:
        raise InputError(
            f"--inputs {path}: cannot be read: {error.strerror}", "check its permissions"
        ) from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
