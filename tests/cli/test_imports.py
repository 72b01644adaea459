"""The parent process never imports an engine; every adapter imports where there is none."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.cli.command import QUICK, Harness

BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "onnx", "onnxruntime", "openvino", "onnxscript"}:
            raise AssertionError(f"the engine {name} was imported in the parent")

sys.meta_path.insert(0, Blocker())
"""


def test_a_comparison_imports_no_engine_in_the_parent(harness: Harness) -> None:
    script = f"{BLOCK}\nfrom harness.cli.main import main\nsys.argv[0] = 'harness'\nmain()\n"
    contenders = ("ort", "openvino", "fake")
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, "compare", *contenders, *QUICK],
        cwd=harness.folder,
        env=harness.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: result.status for name, result in harness.results().items()} == dict.fromkeys(
        contenders, "measured"
    )


@pytest.mark.parametrize("room", ["backends", "harness", "results", "suites", "dashboards"])
def test_every_module_imports_where_there_is_no_engine(room: str) -> None:
    script = BLOCK + textwrap.dedent(
        f"""
        import importlib, pkgutil, {room}
        found = 0
        for module in pkgutil.walk_packages({room}.__path__, "{room}."):
            # The architectures are torch code, imported by workers only; the conformance kit is a test module;
            # the others do their work when they are imported.
            if module.name.startswith(("suites.models.", "backends.conformance.")):
                continue
            if module.name.endswith((".__main__", "migrations.env")):
                continue
            importlib.import_module(module.name)
            found += 1
        print(found)
        """
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 5


def test_help_needs_nothing_heavy() -> None:
    script = textwrap.dedent(
        """
        import sys
        from harness.cli.main import main
        sys.argv = ["harness", *sys.argv[1:]]
        try:
            main()
        except SystemExit:
            pass
        heavy = {"numpy", "scipy", "pydantic", "sqlalchemy", "alembic", "rich", "yaml", "psutil", "torch", "onnx"}
        print("HEAVY", sorted(heavy & set(sys.modules)))
        """
    )
    for command in ("", "compare", "run", "history", "report", "list", "doctor"):
        arguments = [command, "--help"] if command else ["--help"]
        done = subprocess.run(
            [sys.executable, "-P", "-c", script, *arguments], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "HEAVY []", command
