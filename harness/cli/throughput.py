"""`harness throughput`: the best throughput of engines under load, with its whole latency-throughput curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import SIZE, db_option, measuring_options, output_options

if TYPE_CHECKING:
    from rich.console import Console

    from harness.judge.load.curve import ThroughputDocument
    from harness.plan.throughput import ThroughputPlan
    from harness.run.throughput_runner import ThroughputOutcome
    from results.store import Store


@click.command(
    "throughput",
    epilog="""\b
Examples:
  harness throughput ort 'openvino?hint=throughput' --model resnet50
  harness throughput ort --model resnet50 --threads 1 --concurrency 1,2,4,8
  harness throughput ort torch --model resnet50 --batch 1 --batch 8 --max-latency p99=80ms
  harness throughput ort --model resnet50 --instances 2 --threads 1 --pin --budget 5m
  harness throughput openvino --model resnet50 --way queue --html curve.html
  harness throughput ort --model resnet50 --end-to-end --pipeline classify:opencv

A contender is written backend[:flavour][@precision][==version][?option=value&...].
Exit codes: 0 every contender has a best point; 1 a contender is wrong, failed, or has no point that keeps the
bounds; 2 bad usage or input; 3 nothing could be measured, or no point of any contender keeps the bounds;
130 interrupted.""",
)
@click.argument("contenders", nargs=-1, required=True, metavar="CONTENDER...")
@click.option("--model", "-m", required=True, metavar="NAME|PATH", help="Built-in model, or an ONNX file.")
@click.option("--batch", "-b", multiple=True, type=click.IntRange(1), default=(1,), show_default=False,
              help="Batch size; may be given several times [default: 1].")  # fmt: skip
@click.option("--threads", "-t", multiple=True, type=click.IntRange(1),
              help="Threads per engine; may be given several times [default: 1, 2, 4, ... cores].")  # fmt: skip
@click.option("--concurrency", default="auto", show_default=True, metavar="auto|1,2,4",
              help="Requests in flight; auto searches.")  # fmt: skip
@click.option("--instances", type=click.IntRange(1), default=1, show_default=True,
              help="Worker processes that load the model each and run together.")  # fmt: skip
@click.option("--pin", is_flag=True, help="Give every instance cores of its own.")
@click.option("--way", type=click.Choice(["threads", "queue"]), default="threads", show_default=True,
              help="A thread for every request, or the engine's own queue.")  # fmt: skip
@click.option("--end-to-end", is_flag=True,
              help="Requests go from encoded items to answers; stages of different requests overlap.")  # fmt: skip
@click.option("--pipeline", default="", metavar="NAME[:IMPLEMENTATION]",
              help="Pre- and post-processing of --end-to-end [default: the model's own].")  # fmt: skip
@click.option("--item", "items", multiple=True, type=click.Path(), metavar="FILE",
              help="Picture or text to feed it with; may be given several times [default: shipped ones].")  # fmt: skip
@click.option(
    "--max-latency", metavar="[p99=]TIME", help="Most latency that the best point may have, e.g. p99=50ms."
)
@click.option(
    "--max-memory", type=SIZE, metavar="SIZE", help="Most memory that the best point may take, e.g. 4GiB."
)
@click.option("--dim", "dims", multiple=True, metavar="NAME=SIZE", help="Size of a named dynamic dimension.")
@click.option(
    "--inputs", type=click.Path(), metavar="FILE.npz", help="Inputs by name instead of seeded ones."
)
@click.option("--input-set", "input_sets", multiple=True, metavar="KIND:SEED",
              help="Seeded inputs, e.g. normal:0; may be given several times.")  # fmt: skip
@measuring_options
@output_options
@db_option
def command(**flags: Any) -> int:
    """Find how much engines can serve: requests are kept in flight, and batch × threads × concurrency is searched.

    Every point is measured in rounds of random order over several fresh processes, one contender running while the
    others stand still. The best point under the bounds, the knee and the whole curve are results, stored like others.
    """
    import sys

    from harness.cli.documents import check_exports
    from harness.cli.signals import interruptible
    from harness.run.throughput_runner import run_throughput
    from harness.show.console import make_console
    from harness.show.progress import make_progress
    from results.store import open_store

    check_exports(flags["json"], flags["html"])
    plan = _plan(flags)
    with open_store(flags["db"]) as store:
        with interruptible(), make_progress(make_console(stderr=True, quiet=flags["quiet"])) as progress:
            outcome = run_throughput(plan, store, progress, command=sys.argv)
        return _finish(outcome, store, flags, make_console())


def _plan(flags: dict[str, Any]) -> ThroughputPlan:
    from pathlib import Path

    from harness.cli.dims import parse_dims
    from harness.cli.settings import settings_from_flags
    from harness.environment.threads import usable_cores
    from harness.errors import UsageError
    from harness.plan.throughput import parse_latency_bound, parse_levels, plan_throughput
    from harness.records import Bounds

    if flags["inputs"] and flags["input_sets"]:
        raise UsageError(
            f"--input-set {flags['input_sets'][0]} and --inputs {flags['inputs']} exclude each other",
            "leave one of them out",
        )
    bounds: dict[str, Any] = {"max_memory": flags["max_memory"]}
    if flags["max_latency"]:
        metric, seconds = parse_latency_bound(flags["max_latency"])
        bounds |= {"latency_metric": metric, "max_latency_s": seconds}
    settings = settings_from_flags(flags)
    changed: dict[str, Any] = {"extension_s": 0.0, "stage_trials": 0}
    if _left_out("budget"):
        changed["budget_s"] = 120.0
    if _left_out("min_trials"):
        changed["min_trials"] = min(3, settings.max_trials)
    return plan_throughput(
        flags["contenders"],
        flags["model"],
        batches=flags["batch"],
        threads=flags["threads"],
        levels=parse_levels(flags["concurrency"]),
        dims=parse_dims(flags["dims"]),
        cores=usable_cores(),
        instances=flags["instances"],
        way=flags["way"],
        pinned=flags["pin"],
        bounds=Bounds(**bounds),
        settings=settings.model_copy(update=changed),
        inputs=Path(flags["inputs"]) if flags["inputs"] else None,
        end_to_end=flags["end_to_end"],
        pipeline=flags["pipeline"],
        items=[Path(item) for item in flags["items"]],
    )


def _left_out(flag: str) -> bool:
    from click.core import ParameterSource

    context = click.get_current_context()
    return context.get_parameter_source(flag) is ParameterSource.DEFAULT


def _finish(outcome: ThroughputOutcome, store: Store, flags: dict[str, Any], console: Console) -> int:
    from harness.errors import ExitCode
    from harness.judge.load.curve import judge_run
    from harness.show.throughput import print_throughput, print_throughput_answer

    document = judge_run(outcome.run, outcome.results, interrupted=outcome.interrupted)
    code = document.exit_code
    if outcome.unsaved is None:
        status = "interrupted" if outcome.interrupted else "finished" if document.results else "failed"
        store.finish_run(outcome.run.id, status, code)  # type: ignore[arg-type]
    (print_throughput_answer if flags["quiet"] else print_throughput)(document, console)
    for line in write_throughput(document, flags["json"], flags["html"]):
        if not flags["quiet"]:
            console.print(line, markup=False, style="dim", soft_wrap=True)
    if outcome.unsaved is not None:
        raise outcome.unsaved
    place = f"as run {outcome.run.id[:8]} in {store.where}"
    if outcome.interrupted:
        console.print(
            f"Interrupted: what was measured is stored {place}", markup=False, style="yellow", soft_wrap=True
        )
        return int(ExitCode.INTERRUPTED)
    if not flags["quiet"]:
        console.print(f"Stored {place}", markup=False, style="dim", soft_wrap=True)
    return code


def show_throughput(document: ThroughputDocument, flags: dict[str, Any]) -> int:
    """Show a stored run again, or write it."""
    from harness.show.console import make_console
    from harness.show.throughput import print_throughput, print_throughput_answer

    console = make_console()
    if flags["quiet"]:
        print_throughput_answer(document, console)
    elif not flags["html"]:
        print_throughput(document, console)
    for line in write_throughput(document, flags["json"], flags["html"]):
        console.print(line, markup=False, soft_wrap=True)
    return 0


def write_throughput(document: ThroughputDocument, json_file: str | None, html_file: str | None) -> list[str]:
    """Write what was asked for; returns a line for each file."""
    from harness.cli.documents import write_text

    lines = []
    if json_file:
        write_text(json_file, document.model_dump_json(indent=1) + "\n")
        lines.append(f"Record with raw samples: {json_file}")
    if html_file:
        from dashboards.throughput_report import render_throughput

        write_text(html_file, render_throughput(document))
        lines.append(f"Report: {html_file}")
    return lines
