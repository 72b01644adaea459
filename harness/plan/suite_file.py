"""Finds and reads suite files; every problem is reported with its line, column and key."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import InputError
from harness.judge.gate_types import Gate, LatencyGate, MeasuredGate, MemoryGate, ParityGate, RatioGate
from harness.plan.contender import label_contenders, read_contender
from harness.plan.suite import Auto, Exclusion, Suite, SuiteGate, SuiteModel
from harness.plan.suite_problems import described, empty_values
from harness.plan.suite_schema import (
    GateEntry,
    ModelEntry,
    ScopedEntry,
    SettingsEntry,
    SuiteEntry,
)
from harness.plan.yaml_lines import Document, Problem, YamlProblems, dotted, read_yaml
from harness.plan.yaml_lines import Path as KeyPath
from harness.records import Settings
from suites import catalogue
from suites.encoder_export import is_encoder
from suites.errors import ModelError

LARGEST = 1 << 20
"""Bytes; a suite file is written by hand, and a larger one is a mistake."""

MOST_PROBLEMS = 20
"""Problems that one message tells: a screenful."""

REFERENCE_PAGE = "docs/reference/suites.md"


@dataclass(frozen=True)
class ShippedSuite:
    """A suite that comes with the harness."""

    name: str
    description: str
    path: Path


def shipped_suites() -> tuple[ShippedSuite, ...]:
    """The suites that come with the harness, by name."""
    found = []
    for path in _shipped_paths():
        suite = load_suite(path)
        found.append(ShippedSuite(path.stem, suite.description, path))
    return tuple(found)


def find_suite(name_or_path: str) -> Path:
    """The file of a shipped suite's name or of a path. Raises InputError for a name that nobody knows."""
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    shipped = {path.stem: path for path in _shipped_paths()}
    if name_or_path in shipped:
        return shipped[name_or_path]
    advice = (
        f"Suites: {', '.join(shipped)}. A file of your own is given by its path, for example ./nightly.yaml."
    )
    near = get_close_matches(name_or_path, shipped, 1)
    beside = next((p for s in ("", ".yaml", ".yml") if (p := Path(f"{name_or_path}{s}")).is_file()), None)
    if beside is not None:
        advice = f"Did you mean the file ./{beside}? {advice}"
    elif near:
        advice = f"Did you mean {near[0]!r}? {advice}"
    raise InputError(f"there is no suite {name_or_path!r}", advice)


def load_suite(path: str | Path) -> Suite:
    """Read and check a suite file. Raises InputError that lists everything found wrong, with lines and keys."""
    path = Path(path)
    text = _read_text(path)
    try:
        document = read_yaml(text)
    except YamlProblems as error:
        raise _input_error(path, error.problems) from None
    if document.data is None:
        raise InputError(f"{path}: the file is empty", f"see {REFERENCE_PAGE} for what goes in")
    if not isinstance(document.data, dict):
        found = "a list" if isinstance(document.data, list) else f"{document.data!r}"[:60]
        raise InputError(
            f"{path}: expected keys such as 'name:' and 'models:', found {found}",
            f"see {REFERENCE_PAGE} for what goes in",
        )
    problems = list(empty_values(document))
    entry: SuiteEntry | None = None
    try:
        entry = SuiteEntry.model_validate(document.data)
    except ValidationError as error:
        emptied = {problem.path for problem in problems}
        problems += [p for p in described(error, document) if p.path not in emptied]
    if entry is None or problems:
        raise _input_error(path, problems)
    return _meaning(path, entry, document)


def _shipped_paths() -> tuple[Path, ...]:
    return tuple(sorted(Path(catalogue.__file__).parent.glob("*.yaml")))


def _read_text(path: Path) -> str:
    hint = "give the path of a suite file, or the name of a shipped suite (see: harness list suites)"
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path}: this is a folder, not a suite file", hint)
        if not stat.S_ISREG(mode):
            raise InputError(f"{path}: this is not a regular file", hint)
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file", hint) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: cannot be read: {reason}", hint) from None
    if len(content) > LARGEST:
        raise InputError(f"{path}: larger than {LARGEST >> 20} MiB; this is no suite file", hint)
    if b"\0" in content:
        raise InputError(f"{path}: a binary file (byte 0 at offset {content.index(0)})", hint)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}:{line}: not text in UTF-8 (byte 0x{content[error.start]:02x})", hint
        ) from None


def _meaning(path: Path, entry: SuiteEntry, document: Document) -> Suite:
    """What the entries mean; raises InputError for what only shows when they are taken together."""
    problems: list[Problem] = []

    def wrong(key: KeyPath, message: str) -> None:
        problems.append(Problem(document.mark(key), dotted(key), message))

    models: list[SuiteModel] = []
    for index, model in enumerate(entry.models):
        try:
            models.append(_model(path, model))
        except InputError as error:
            wrong(("models", index), f"{error.message}; {error.hint}" if error.hint else error.message)
            models.append(SuiteModel("", model.name or ""))
    for index, name in _repeats([m.name for m in models]):
        wrong(("models", index), f"a second model called {name!r}; give it another 'name'")
    contenders = label_contenders([read_contender(text) for text in entry.contenders])
    names = {m.name for m in models}
    texts = {c.text for c in contenders}
    for key, kind, value in _references(entry):
        known = names if kind == "model" else texts
        if value not in known:
            near = get_close_matches(value, known, 1)
            guess = f"; did you mean {near[0]!r}?" if near else f"; this suite has {', '.join(sorted(known))}"
            wrong(key, f"{value!r} is not a {kind} of this suite{guess}")
    for key, kind, number in _numbers(entry):
        listed: Sequence[object] = entry.variants.batch if kind == "batch" else entry.variants.threads
        if number not in listed and not (kind == "threads" and "auto" in listed):
            wrong(key, f"{kind} {number} is not among variants.{kind} ({', '.join(map(str, listed))})")
    if problems:
        raise _input_error(path, problems)
    return Suite(
        path=path,
        name=entry.name,
        description=entry.description.strip(),
        models=tuple(models),
        contenders=contenders,
        batch=tuple(dict.fromkeys(entry.variants.batch)),
        threads=tuple(dict.fromkeys(_threads(t) for t in entry.variants.threads)),
        scenarios=tuple(dict.fromkeys(entry.scenarios)),
        settings=_settings(entry.settings),
        exclude=tuple(
            Exclusion(e.model, e.contender, e.batch, None if e.threads is None else _threads(e.threads))
            for e in entry.exclude
        ),
        gates=tuple(_gate(gate) for gate in entry.gates),
    )


def _model(suite: Path, entry: ModelEntry) -> SuiteModel:
    items = tuple((suite.parent / item).resolve() for item in entry.items)
    for item in items:
        if not item.is_file():
            raise InputError(
                f"items: there is no file {item}", "paths are relative to the folder of the suite file"
            )
    if entry.builtin is not None:
        try:
            catalogue.builtin(entry.builtin)
        except ModelError as error:
            raise InputError(error.message, error.hint) from None
        return SuiteModel(entry.builtin, entry.builtin, entry.dims, entry.pipeline, items)
    assert entry.path is not None
    path = (suite.parent / entry.path).resolve()
    if not path.is_file() and not is_encoder(str(path)):
        raise InputError(f"there is no file {path}", "paths are relative to the folder of the suite file")
    return SuiteModel(str(path), entry.name or path.stem, entry.dims, entry.pipeline, items)


def _repeats(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        seen[name] += 1
        if name and seen[name] > 1:
            yield index, name


def _references(entry: SuiteEntry) -> Iterator[tuple[KeyPath, str, str]]:
    """Every mention of a model or contender outside the lists that define them."""
    for index, exclusion in enumerate(entry.exclude):
        for kind in ("model", "contender"):
            value = getattr(exclusion, kind)
            if value is not None:
                yield ("exclude", index, kind), kind, value
    for key, scoped in _scoped_gates(entry):
        if scoped.model is not None:
            yield (*key, "model"), "model", scoped.model
        for field in ("contender", "of", "to"):
            value = getattr(scoped, field, None)
            if value is not None:
                yield (*key, field), "contender", value


def _numbers(entry: SuiteEntry) -> Iterator[tuple[KeyPath, str, int | str]]:
    """Every mention of a batch or a number of threads outside the variants."""
    scoped = [(("exclude", index), exclusion) for index, exclusion in enumerate(entry.exclude)]
    for key, holder in (*scoped, *_scoped_gates(entry)):
        for kind in ("batch", "threads"):
            value = getattr(holder, kind)
            if value is not None:
                yield (*key, kind), kind, value


def _scoped_gates(entry: SuiteEntry) -> Iterator[tuple[KeyPath, ScopedEntry]]:
    for index, gate in enumerate(entry.gates):
        for kind in ("latency", "ratio", "memory"):
            scoped = getattr(gate, kind)
            if scoped is not None:
                yield ("gates", index, kind), scoped


def _threads(value: int | str) -> int | Auto:
    return "auto" if isinstance(value, str) else value


def _settings(entry: SettingsEntry) -> Settings:
    return Settings(
        margin=entry.margin,
        confidence=entry.confidence,
        target_ci=entry.target_ci,
        budget_s=entry.budget,
        extension_s=0.0 if "budget" in entry.model_fields_set else Settings().extension_s,
        min_trials=entry.trials.min,
        max_trials=entry.trials.max,
        rounds_per_trial=entry.rounds_per_trial,
        block_s=entry.block,
        warmup_max_s=entry.warmup_max,
        deadline_s=entry.deadline,
        memory_limit=entry.memory_limit,
        seed=entry.seed,
        input_sets=tuple(dict.fromkeys(entry.inputs)),
    )


def _gate(entry: GateEntry) -> SuiteGate:
    scoped = entry.latency or entry.ratio or entry.memory
    if scoped is None:
        return SuiteGate(ParityGate() if entry.parity else MeasuredGate())
    auto = scoped.threads == "auto"
    where: dict[str, Any] = {
        "model": scoped.model or "",
        "batch": scoped.batch,
        "threads": None if auto else scoped.threads,
    }
    gate: Gate
    if entry.latency is not None:
        given = entry.latency
        gate = LatencyGate(
            contender=given.contender,
            percentile=given.percentile,
            at_most=given.at_most,
            on_unsettled=given.on_unsettled,
            **where,
        )
    elif entry.ratio is not None:
        ratio = entry.ratio
        gate = RatioGate(
            of=ratio.of, to=ratio.to, at_most=ratio.at_most, on_unsettled=ratio.on_unsettled, **where
        )
    else:
        assert entry.memory is not None
        gate = MemoryGate(contender=entry.memory.contender, at_most=entry.memory.at_most, **where)
    return SuiteGate(gate, auto)


def _input_error(path: Path, problems: Sequence[Problem]) -> InputError:
    lines = [
        _printable(f"{path}:{p.mark.line}:{p.mark.column}: {f'{p.path}: ' if p.path else ''}{p.message}")
        for p in sorted(set(problems))
    ]
    if len(lines) > MOST_PROBLEMS:
        lines[MOST_PROBLEMS:] = [f"and {len(lines) - MOST_PROBLEMS} more"]
    return InputError("\n".join(lines), f"see {REFERENCE_PAGE} for what goes in a suite file")


def _printable(line: str) -> str:
    """Without control characters, which a key in quotes may hold and a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
