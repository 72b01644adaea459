"""Pytest plug-in of the kit: its options, its fixtures, and how "unsupported" shows.

What an adapter declares unsupported is neither a pass nor a failure: it is listed with its reason and counted. An
adapter that supports none of the kit's models fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends.base import Backend, Session
from backends.catalogue import KNOWN, canonical, load_adapter
from backends.conformance.models import KitModel
from backends.contract import ModelSource, UnavailableError, UnsupportedError, Variant

_UNSUPPORTED = "unsupported: "
_EQUALITY = "test_outputs_equal_the_reference"


@dataclass(frozen=True)
class Target:
    """The adapter under test, as the command line names it."""

    backend: str
    flavour: str
    options: dict[str, str]
    engine_module: str

    def variant(
        self, model: KitModel, *, precision: str = "fp32", threads: int = 1, batch: int = 1
    ) -> Variant:
        """A variant of this flavour, with the options of the command line."""
        return Variant(
            flavour=self.flavour,
            precision=precision,
            batch=batch,
            threads=threads,
            dims=dict(model.dims),
            options=self.options,
        )


_TARGET = pytest.StashKey[Target]()
_PRECISIONS = pytest.StashKey[tuple[str, ...]]()


class Kit:
    """Builds and loads the kit's models on the adapter under test, and closes what it loaded."""

    def __init__(self, target: Target, backend: Backend, folder: Path) -> None:
        self.target = target
        self.backend = backend
        self.folder = folder
        self._sessions: list[Session] = []
        self._count = 0

    def source(self, model: KitModel) -> ModelSource:
        """The model's files, in a folder of their own."""
        return model.source(self.fresh_folder())

    def fresh_folder(self) -> Path:
        """An empty folder."""
        self._count += 1
        folder = self.folder / str(self._count)
        folder.mkdir()
        return folder

    def open(self, source: ModelSource, variant: Variant) -> Session:
        """Build and load; a model or variant that the adapter refuses ends the test as unsupported."""
        try:
            artefact = self.backend.build(source, variant, self.fresh_folder())
            session = self.backend.load(source, artefact, variant)
        except UnsupportedError as error:
            pytest.skip(f"{_UNSUPPORTED}{source.name} {variant.precision}: {error}")
        self._sessions.append(session)
        return session

    def close(self) -> None:
        """Close every session."""
        for session in self._sessions:
            session.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the kit."""
    group = parser.getgroup("conformance", "backend conformance kit")
    group.addoption("--backend", metavar="NAME[:FLAVOUR]", help="the adapter to test, e.g. ort or torch:cuda")
    group.addoption(
        "--backend-option",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="an option of the adapter, as in contender?option=value; may be repeated",
    )
    group.addoption(
        "--engine-module",
        metavar="MODULE",
        help="the engine's Python module, which the kit hides to test its absence; known for engines that "
        "the catalogue lists",
    )


def target_of(config: pytest.Config) -> Target:
    """What the command line asks for; raises pytest.UsageError for bad values."""
    text = config.getoption("--backend")
    if not text:
        raise pytest.UsageError("the conformance kit needs --backend NAME[:FLAVOUR]")
    name, _, flavour = text.partition(":")
    name = canonical(name)
    options: dict[str, str] = {}
    for given in config.getoption("--backend-option"):
        option, equals, value = given.partition("=")
        if not option or not equals:
            raise pytest.UsageError(f"--backend-option {given!r}: expected OPTION=VALUE")
        options[option] = value
    module = config.getoption("--engine-module") or (KNOWN[name].module if name in KNOWN else "")
    if not module:
        raise pytest.UsageError(f"--engine-module is needed: the catalogue does not list {name!r}")
    return Target(name, flavour, options, module)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Find the adapter before anything is collected: what is wrong with the command line shows alone."""
    config = session.config
    target = target_of(config)
    try:
        precisions = load_adapter(target.backend).capabilities(target.flavour).precisions
    except (UnavailableError, UnsupportedError) as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_TARGET] = target
    config.stash[_PRECISIONS] = precisions


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise with the precisions that the adapter declares."""
    if "precision" in metafunc.fixturenames:
        precisions: tuple[str, ...] = metafunc.config.stash[_PRECISIONS]
        metafunc.parametrize("precision", precisions)


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> Target:
    """The adapter under test, as the command line names it."""
    return pytestconfig.stash[_TARGET]


@pytest.fixture(scope="session")
def backend(target: Target) -> Backend:
    """The adapter; an engine that is not here is a failure of every test, not a reason to skip."""
    adapter = load_adapter(target.backend)
    probe = adapter.probe()
    assert probe.available, f"{target.backend} is not here: {probe.reason}; install: {probe.install}"
    refusal = probe.flavours.get(target.flavour, "")
    assert not refusal, f"{target.backend}:{target.flavour} cannot run here: {refusal}"
    return adapter


@pytest.fixture
def kit(target: Target, backend: Backend, tmp_path: Path) -> Iterator[Kit]:
    """Models on the adapter under test."""
    made = Kit(target, backend, tmp_path)
    yield made
    made.close()


def _reason(report: Any) -> str:
    """Why a report is "unsupported"; empty when it is not."""
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return ""
    message = str(report.longrepr[2]).removeprefix("Skipped: ")
    return message.removeprefix(_UNSUPPORTED) if message.startswith(_UNSUPPORTED) else ""


def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """Give "unsupported" a category of its own."""
    return ("unsupported", "u", "UNSUPPORTED") if _reason(report) else None


class _Equalities:
    """Counts the comparisons with the reference: how many were selected, how many passed."""

    selected = 0
    passed = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.selected = sum(_EQUALITY in item.nodeid for item in session.items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed and _EQUALITY in report.nodeid:
            self.passed += 1

    @property
    def vacuous(self) -> bool:
        return self.selected > 0 and self.passed == 0


_COUNTED = pytest.StashKey[_Equalities]()


def pytest_configure(config: pytest.Config) -> None:
    """Count from the start."""
    config.stash[_COUNTED] = _Equalities()
    config.pluginmanager.register(config.stash[_COUNTED])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which comparisons were selected but none passed."""
    if session.exitstatus == pytest.ExitCode.OK and session.config.stash[_COUNTED].vacuous:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List what is unsupported, with reasons."""
    counted = config.stash[_COUNTED]
    unsupported = terminalreporter.stats.get("unsupported", [])
    for report in unsupported:
        terminalreporter.write_line(f"unsupported: {_reason(report)}")
    terminalreporter.write_line(
        f"conformance: {counted.passed} comparisons with the reference passed, {len(unsupported)} unsupported"
    )
    if counted.vacuous:
        terminalreporter.write_line(
            "conformance: nothing equalled the reference: the adapter does not conform"
        )
