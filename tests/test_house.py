"""The house's walls: which room may import which, and what the parent and the worker side may need."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("harness", "backends", "suites", "results", "dashboards")
ENGINES = {"torch", "onnx", "onnxruntime", "openvino", "onnxscript", "tensorrt", "tvm", "ncnn", "MNN"}
MAY_IMPORT = {
    "backends": {"suites"} - {"suites"},
    "suites": {"backends"},
    "results": {"harness"},
    "dashboards": {"harness", "results"},
    "harness": {"backends", "suites", "results", "dashboards"},
}
HARNESS_PARTS_CLOSED_TO = {
    # part of harness -> what it must not import
    "judge": {
        "harness.run",
        "harness.worker",
        "harness.cli",
        "harness.show",
        "results",
        "dashboards",
        "suites",
    },
    "worker": {
        "harness.run",
        "harness.cli",
        "harness.judge",
        "harness.records",
        "results",
        "dashboards",
        "suites",
    },
    "plan": {"harness.run", "harness.worker", "harness.cli", "harness.show", "results", "dashboards"},
    "run": {"harness.cli", "harness.show", "dashboards"},
    "environment": {"harness.run", "harness.cli", "harness.judge", "harness.show", "results", "dashboards"},
    "show": {"harness.run", "harness.worker", "harness.cli"},
}
OPEN_TO_DASHBOARDS = (
    "harness.records",
    "harness.judge",
    "harness.errors",
    "harness.show.numbers",
    "harness.show.parity_words",
)


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    breaches = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(ROOT / room)
        for name in imports(path)
        for other in ROOMS
        if other != room and other not in MAY_IMPORT[room] and within(name, other)
    ]
    assert breaches == []


@pytest.mark.parametrize("part", HARNESS_PARTS_CLOSED_TO)
def test_parts_of_harness_import_one_way(part: str) -> None:
    files = python_files(ROOT / "harness" / part)
    assert files
    breaches = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imports(path)
        for other in HARNESS_PARTS_CLOSED_TO[part]
        if within(name, other)
    ]
    assert breaches == []


def test_dashboards_see_records_and_judgements_only() -> None:
    breaches = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(ROOT / "dashboards")
        for name in imports(path)
        if within(name, "harness")
        and not any(within(name, allowed) or within(allowed, name) for allowed in OPEN_TO_DASHBOARDS)
    ]
    assert breaches == []


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in ("backends", "suites")])
def test_no_engine_is_named_outside_the_rooms_that_drive_them(room: str) -> None:
    for path in python_files(ROOT / room):
        assert not {name.split(".")[0] for name in imports(path)} & ENGINES, path


def test_engines_are_imported_inside_functions_only() -> None:
    for room in ("backends", "suites"):
        for path in python_files(ROOT / room):
            tree = ast.parse(path.read_text())
            top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            names = {
                alias.name.split(".")[0]
                for node in top
                for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
            }
            # The architectures are torch code: only a worker imports them, through `torch_factory`.
            # The conformance kit is a test module.
            if any(path.is_relative_to(ROOT / place) for place in ("suites/models", "backends/conformance")):
                continue
            assert not names & ENGINES, path


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-P", "-c", code]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_importing_harness_loads_nothing_heavy() -> None:
    heavy = {
        "numpy",
        "scipy",
        "pydantic",
        "sqlalchemy",
        "alembic",
        "rich",
        "click",
        "yaml",
        "psutil",
    } | ENGINES
    assert not loaded_by("import harness") & heavy
    assert not loaded_by("import harness.cli.main") & (heavy - {"click"})


def test_the_worker_side_needs_numpy_and_the_standard_library_only() -> None:
    loaded = loaded_by("import harness.worker.serve, harness.worker.contender, backends.catalogue")
    allowed = set(sys.stdlib_module_names) | {"harness", "backends", "numpy", "__main__", "__mp_main__"}
    foreign = {name for name in loaded - allowed if not name.startswith(("_", "__editable__"))}
    # Site customisations of an environment (an editable install, a .pth file) are not ours.
    plain = loaded_by("import numpy")
    assert foreign - plain == set()


def test_every_file_says_what_it_is_for() -> None:
    for room in ROOMS:
        for path in python_files(ROOT / room):
            assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"
