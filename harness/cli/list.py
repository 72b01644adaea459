"""`harness list`: what can be named on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.engine_status import EngineStatus


@click.command(
    "list",
    epilog="""\b
Examples:
  harness list backends
  harness list models
  harness list pipelines
  harness list suites""",
)
@click.argument("what", type=click.Choice(["backends", "models", "pipelines", "suites", "scenarios"]))
@click.option("--json", "json_file", metavar="FILE", type=click.Path(), help="Write the list as JSON.")
def command(what: str, json_file: str | None) -> int:
    """List backends (with the reason why one is missing), built-in models, pipelines, shipped suites, or scenarios."""
    import json

    from harness.cli.documents import check_writable, write_text
    from harness.show.console import make_console
    from harness.show.lists import print_notes, print_rows

    check_writable(json_file)
    rows = {
        "backends": _backends,
        "models": _models,
        "suites": _suites,
        "scenarios": _scenarios,
        "pipelines": _pipelines,
    }[what]()
    console = make_console()
    print_rows(rows, console, hidden=("note",))
    print_notes([row["note"] for row in rows if row.get("note")], console)
    if json_file:
        write_text(json_file, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return 0


def _backends() -> list[dict[str, str]]:
    from harness.run.engines import probe_all

    return [
        {
            "backend": engine.name,
            "engine": engine.title,
            "status": "available" if engine.available else "missing",
            "version": engine.version,
            "flavours": ", ".join(name for name, why in engine.flavours.items() if name and not why),
            "aliases": ", ".join(engine.aliases),
            "note": _backend_note(engine),
        }
        for engine in probe_all()
    ]


def _backend_note(engine: EngineStatus) -> str:
    if not engine.available:
        how = f"; the engine installs with: {engine.install}" if engine.install else ""
        return f"{engine.name}: {engine.reason}{how}"
    return "\n".join(f"{engine.name}:{name}: {why}" for name, why in engine.flavours.items() if name and why)


def _models() -> list[dict[str, str]]:
    from suites.catalogue import BUILTINS

    rows = []
    for model in BUILTINS.values():
        inputs = ", ".join(f"{s.name} {s.dtype} {list(s.shape)}".replace("'", "") for s in model.inputs)
        rows.append(
            {
                "model": model.name,
                "what": model.summary,
                "inputs": inputs,
                "parameters": f"{model.parameters:,}",
                "GMACs": f"{model.macs / 1e9:.3g}",
            }
        )
    return rows


def _suites() -> list[dict[str, str]]:
    from harness.plan.suite_file import shipped_suites

    return [
        {"suite": suite.name, "what": " ".join(suite.description.split()), "file": str(suite.path)}
        for suite in shipped_suites()
    ]


def _scenarios() -> list[dict[str, str]]:
    return [
        {
            "scenario": "single_stream",
            "what": "One call after the other, the next as soon as the last has ended (MLPerf's single stream).",
            "command": "harness compare, harness run",
        },
        {
            "scenario": "closed_loop",
            "what": "N requests in flight, each started again as soon as it has ended; N is searched or given.",
            "command": "harness throughput",
        },
    ]


def _pipelines() -> list[dict[str, str]]:
    from suites.catalogue import BUILTINS
    from suites.pipelines.catalogue import PIPELINES

    return [
        {
            "pipeline": spec.name,
            "what": spec.summary,
            "implementations": ", ".join(spec.implementations),
            "models": ", ".join(model.name for model in BUILTINS.values() if model.pipeline == spec.name),
        }
        for spec in PIPELINES.values()
    ]
