"""`harness compare`: engines on one model, measured in the same rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import db_option, measuring_options, output_options

if TYPE_CHECKING:
    from rich.console import Console

    from harness.plan.cases import Plan


@click.command(
    "compare",
    epilog="""\b
Examples:
  harness compare ort openvino --model resnet50
  harness compare torch ort openvino --model resnet50 --batch 1 --batch 8 --html report.html
  harness compare ort 'ort?graph_optimization_level=basic' --model path/to/model.onnx
  harness compare ort openvino@bf16 --model resnet50 --budget 3m --margin 1%
  harness compare ort openvino --model resnet50 --from-history

A contender is written backend[:flavour][@precision][==version][?option=value&...].
Exit codes: 0 fine; 1 a contender is wrong or could not be measured; 2 bad usage or input;
3 nothing could be measured; 130 interrupted.""",
)
@click.argument("contenders", nargs=-1, required=True, metavar="CONTENDER...")
@click.option("--model", "-m", required=True, metavar="NAME|PATH", help="Built-in model, or an ONNX file.")
@click.option("--batch", "-b", multiple=True, type=click.IntRange(1), default=(1,), show_default=False,
              help="Batch size; may be given several times [default: 1].")  # fmt: skip
@click.option(
    "--threads",
    "-t",
    multiple=True,
    type=click.IntRange(1),
    help="Threads per engine [default: usable cores].",
)
@click.option("--dim", "dims", multiple=True, metavar="NAME=SIZE", help="Size of a named dynamic dimension.")
@click.option(
    "--inputs", type=click.Path(), metavar="FILE.npz", help="Inputs by name instead of seeded ones."
)
@click.option("--input-set", "input_sets", multiple=True, metavar="KIND[:SEED]",
              help="Inputs: normal, uniform, sparse, extremes with a seed (normal:0), zeros, ones, pictures, texts; "
              "may be given several times.")  # fmt: skip
@click.option("--pipeline", default="", metavar="NAME[:IMPLEMENTATION]",
              help="Pre- and post-processing whose stages are timed, or none [default: the model's own].")  # fmt: skip
@click.option("--item", "items", multiple=True, type=click.Path(), metavar="FILE",
              help="Picture or text to feed it with; may be given several times [default: shipped ones].")  # fmt: skip
@click.option("--from-history", is_flag=True, help="Show the newest stored comparison instead of measuring.")
@measuring_options
@output_options
@db_option
def command(**flags: Any) -> int:
    """Compare inference engines on one model: latency, throughput, memory, start-up, and parity.

    Contenders are measured in the same rounds in random order, one running while the others stand still, in several
    fresh processes each. Every ratio comes with an interval and a verdict, and every engine's outputs are checked
    against the reference in float64.
    """
    from harness.cli.documents import check_exports
    from harness.show.console import make_console

    check_exports(flags["json"], flags["html"])
    console = make_console()
    plan = _plan(flags)
    if flags["from_history"]:
        return _from_history(plan, flags, console)
    return measure(plan, flags, console)


def measure(plan: Plan, flags: dict[str, Any], console: Console) -> int:
    """Run a plan with the flags that all measuring commands share; returns the exit code."""
    import sys

    from harness.cli.finish import finish
    from harness.cli.signals import interruptible
    from harness.run.runner import run_plan
    from harness.show.console import make_console
    from harness.show.progress import make_progress
    from results.store import open_store

    with open_store(flags["db"]) as store:
        with interruptible(), make_progress(make_console(stderr=True, quiet=flags["quiet"])) as progress:
            outcome = run_plan(plan, store, progress, command=sys.argv, fresh=flags["fresh"])
        return int(finish(outcome, plan, store, console, flags["json"], flags["html"], quiet=flags["quiet"]))


def _plan(flags: dict[str, Any]) -> Plan:
    from pathlib import Path

    from harness.cli.dims import parse_dims
    from harness.cli.settings import settings_from_flags
    from harness.environment.threads import usable_cores
    from harness.errors import UsageError
    from harness.plan.cases import plan_comparison

    if flags["inputs"] and flags["input_sets"]:
        raise UsageError(
            f"--input-set {flags['input_sets'][0]} and --inputs {flags['inputs']} exclude each other",
            "leave one of them out",
        )
    return plan_comparison(
        flags["contenders"],
        flags["model"],
        batch=flags["batch"],
        threads=flags["threads"] or (usable_cores(),),
        dims=parse_dims(flags["dims"]),
        settings=settings_from_flags(flags),
        inputs=Path(flags["inputs"]) if flags["inputs"] else None,
        pipeline=flags["pipeline"],
        items=[Path(item) for item in flags["items"]],
    )


def _from_history(plan: Plan, flags: dict[str, Any], console: Console) -> int:
    from harness.cli.documents import document_from_results, judged_groups, write_exports
    from harness.errors import InputError, UsageError
    from harness.judge.exit_code import exit_code
    from harness.show.comparison import print_answer, print_document
    from results.store import open_store

    for flag in ("json", "html"):
        if flags[flag] and len(plan.groups) > 1:
            raise UsageError(
                f"--{flag} {flags[flag]} with --from-history takes one comparison, these are {len(plan.groups)}",
                "give one --batch and one --threads",
            )
    documents = []
    with open_store(flags["db"], create=False) as store:
        for group in plan.groups:
            texts = [ref.text for ref in group.contenders]
            batch, threads = group.variant.batch, group.variant.threads if flags["threads"] else None
            results = store.latest_group(group.name, texts, batch, threads)
            if not results:
                there = store.contenders_of(group.name, batch, threads)
                known = (
                    ", ".join(f"{text} ({when:%Y-%m-%d %H:%M})" for text, when in there.items()) or "nothing"
                )
                raise InputError(
                    f"{store.where} has no comparison of {', '.join(texts)} on {group.name}, batch {batch}",
                    f"it has: {known}. Leave out --from-history to measure now.",
                )
            groups = judged_groups(results)
            run = store.run(results[0].run_id)
            documents.append(document_from_results(run, results, int(exit_code(groups)), groups))
    for document in documents:
        if flags["quiet"]:
            print_answer(document, console)
            continue
        console.print(
            f"From run {document.run.id[:8]} of {document.run.started_at:%Y-%m-%d %H:%M} UTC:", markup=False
        )
        print_document(document, console)
    for line in write_exports(documents[0], flags["json"], flags["html"]):
        if not flags["quiet"]:
            console.print(line, markup=False, soft_wrap=True)
    return max(document.exit_code for document in documents)
