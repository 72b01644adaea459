"""`harness profile`: where the time of an inference goes, layer by layer, engines side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import DURATION, output_options

if TYPE_CHECKING:
    from pathlib import Path

    from harness.run.profiling import ProfilePlan


@click.command(
    "profile",
    epilog="""\b
Examples:
  harness profile ort openvino --model resnet50
  harness profile torch ort openvino --model resnet50 --threads 1 --html layers.html
  harness profile ort 'ort?graph_optimization_level=basic' --model path/to/model.onnx --top 40
  harness profile ort --model resnet50 --trace traces --json layers.json

The times are the engines' own, taken while their profilers slow them: compare shares, and take latency from
`harness compare`. Raw traces are kept; open *.trace.json and onnxruntime_*.json at chrome://tracing or in Perfetto.
Exit codes: 0 fine; 1 a contender could not be profiled; 2 bad usage or input; 3 nothing could be profiled;
130 interrupted.""",
)
@click.argument("contenders", nargs=-1, required=True, metavar="CONTENDER...")
@click.option("--model", "-m", required=True, metavar="NAME|PATH", help="Built-in model, or an ONNX file.")
@click.option("--batch", "-b", type=click.IntRange(1), default=1, show_default=True, help="Batch size.")
@click.option("--threads", "-t", type=click.IntRange(1), help="Threads per engine [default: usable cores].")
@click.option("--dim", "dims", multiple=True, metavar="NAME=SIZE", help="Size of a named dynamic dimension.")
@click.option("--calls", type=click.IntRange(1, 10_000),
              help="Profiled calls [default: those of about 2 s, 10 to 100].")  # fmt: skip
@click.option("--top", type=click.IntRange(1), default=20, show_default=True,
              help="Rows of the table on the terminal, the longest; the page and the record hold all.")  # fmt: skip
@click.option("--trace", type=click.Path(), metavar="DIR",
              help="Folder for the engines' raw traces [default: below the data folder].")  # fmt: skip
@click.option("--deadline", type=DURATION, default="300s", show_default=True, metavar="TIME",
              help="Longest a single step of a worker may take.")  # fmt: skip
@output_options
def command(**flags: Any) -> int:
    """Profile inference engines by layer: which operator, which kernel, how long.

    Every engine runs under its own profiler. Its layers are matched with those of the others through the ONNX tensors
    that they produce; layers that an engine fuses are shown as a group. The same calls are timed without the profiler
    too, so that you see what it costs and what no layer accounts for.
    """
    import contextlib
    import sys

    from harness.cli.documents import check_exports, write_text
    from harness.cli.signals import interruptible
    from harness.judge.profile.document import document_of
    from harness.run.profiling import run_profiles
    from harness.show.console import make_console
    from harness.show.profile import print_profile, print_profile_answer
    from harness.show.progress import make_progress

    check_exports(flags["json"], flags["html"])
    console = make_console()
    plan = _plan(flags)
    try:
        with interruptible(), make_progress(make_console(stderr=True, quiet=flags["quiet"])) as progress:
            record = run_profiles(plan, progress, command=sys.argv)
    finally:
        with contextlib.suppress(OSError):
            plan.folder.rmdir()  # goes only while it is empty
    document = document_of(record)
    if flags["quiet"]:
        print_profile_answer(document, console)
    else:
        print_profile(document, console, top=flags["top"])
    lines = [f"Raw traces: {plan.folder}"] if any(profile.traces for profile in record.profiles) else []
    if flags["json"]:
        write_text(flags["json"], document.model_dump_json(indent=1) + "\n")
        lines.append(f"Record: {flags['json']}")
    if flags["html"]:
        from dashboards.profile_page import render_profile

        write_text(flags["html"], render_profile(document))
        lines.append(f"Report: {flags['html']}")
    if not flags["quiet"]:
        for line in lines:
            console.print(line, markup=False, style="dim", soft_wrap=True)
    return document.exit_code


def _plan(flags: dict[str, Any]) -> ProfilePlan:
    from harness.cli.dims import parse_dims
    from harness.environment.threads import usable_cores
    from harness.plan.cases import model_dims, model_name
    from harness.plan.contender import parse_contenders
    from harness.records import VariantRef
    from harness.run.profiling import ProfilePlan

    refs = parse_contenders(flags["contenders"])
    variant = VariantRef(
        batch=flags["batch"],
        threads=flags["threads"] or usable_cores(),
        dims=model_dims(flags["model"], parse_dims(flags["dims"])),
    )
    name = model_name(flags["model"])
    return ProfilePlan(
        model=flags["model"],
        name=name,
        contenders=refs,
        variant=variant,
        calls=flags["calls"] or 0,
        folder=_folder(flags["trace"], name),
        deadline_s=flags["deadline"],
    )


def _folder(given: str | None, name: str) -> Path:
    """An empty folder for traces, made. Raises StorageError."""
    from datetime import datetime
    from pathlib import Path

    from harness.errors import StorageError, UsageError

    if given is not None:
        folder = Path(given).absolute()
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"--trace {given}: the folder is not empty", "name a new or an empty one")
    else:
        from platformdirs import user_data_dir

        from results.location import APPLICATION

        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = Path(user_data_dir(APPLICATION)).absolute() / "traces" / f"{stamp}-{name}"
        number = 2
        while folder.exists():
            folder = folder.with_name(f"{stamp}-{name}-{number}")
            number += 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be made: {error.strerror}", "name another folder with --trace"
        ) from None
    return folder
