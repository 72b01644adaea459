"""`harness parity`: is it still the right answer, and if not, where did it break?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import DURATION, SHARE, SIZE, db_option, output_options

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from harness.judge.parity_document import ParityDocument
    from harness.run.parity_check import ParityOutcome, ParityPlan
    from results.store import Store


@click.command(
    "parity",
    epilog="""\b
Examples:
  harness parity ort openvino --model resnet50
  harness parity openvino openvino@bf16 --model resnet50 --batch 1 --batch 8 --html parity.html
  harness parity ort --model quantised.onnx --reference original.onnx
  harness parity ort --model path/to/model.onnx --save-inputs inputs
  harness parity openvino --model path/to/model.onnx --inputs inputs
  harness parity openvino@bf16 --model path/to/model.onnx --layers
  harness parity ort openvino@bf16 --model digits-cnn --data digits

A contender is written backend[:flavour][@precision][==version][?option=value&...].
Exit codes: 0 every contender is right; 1 one is wrong, or it is not known; 2 bad usage or input;
3 nothing could be checked; 130 interrupted (what was checked is kept).""",
)
@click.argument("contenders", nargs=-1, required=True, metavar="CONTENDER...")
@click.option("--model", "-m", required=True, metavar="NAME|PATH", help="Built-in model, or an ONNX file.")
@click.option("--reference", default="", metavar="NAME|PATH",
              help="The model whose outputs count as right [default: the model itself].")  # fmt: skip
@click.option("--judge-as", type=click.Choice(["fp32", "tf32", "bf16", "fp16", "int8"]),
              help="Precision whose budgets hold [default: the contender's, or the converted model's].")  # fmt: skip
@click.option("--batch", "-b", multiple=True, type=click.IntRange(1),
              help="Batch size; may be given several times [default: 1, and 2 on the first input set; or those of "
              "--inputs].")  # fmt: skip
@click.option("--dim", "dims", multiple=True, metavar="NAME=SIZE", help="Size of a named dynamic dimension.")
@click.option("--threads", "-t", type=click.IntRange(1), help="Threads per engine [default: usable cores].")
@click.option("--input-set", "input_sets", multiple=True, metavar="KIND[:SEED]",
              help="Inputs: normal, uniform, sparse, extremes with a seed (normal:0), zeros, ones, pictures, texts; "
              "may be given several times [default: all kinds that the model takes].")  # fmt: skip
@click.option("--inputs", type=click.Path(), metavar="FILE.npz|DIR",
              help="Inputs from a file, or from a folder that --save-inputs made, in place of those.")  # fmt: skip
@click.option("--save-inputs", type=click.Path(), metavar="DIR",
              help="Save the inputs in a new folder, to give them again with --inputs.")  # fmt: skip
@click.option("--pipeline", default="", metavar="NAME[:IMPLEMENTATION]",
              help="What makes inputs of pictures and texts [default: the model's own].")  # fmt: skip
@click.option("--layers", is_flag=True,
              help="Find the first tensor whose error leaves its budget, and the smallest failing part.")  # fmt: skip
@click.option("--reproduction", type=click.Path(), metavar="DIR",
              help="Folder for what --layers leaves to repeat a failure [default: below the data folder].")  # fmt: skip
@click.option("--data", default="", metavar="PATH|NAME",
              help="Labelled data for task accuracy: a folder of pictures, .npz, JSONL, or a shipped set.")  # fmt: skip
@click.option("--margin", type=SHARE, default="1%", show_default=True, metavar="SHARE",
              help="Loss of task accuracy that counts as none.")  # fmt: skip
@click.option("--memory-limit", type=SIZE, metavar="SIZE",
              help="Most memory a worker may allocate, e.g. 8GiB.")  # fmt: skip
@click.option("--deadline", type=DURATION, default="300s", show_default=True, metavar="TIME",
              help="Longest a single step of a worker may take.")  # fmt: skip
@output_options
@db_option
def command(**flags: Any) -> int:
    """Check whether engines compute the right thing, on several kinds of inputs.

    Every engine's outputs are compared with the reference in float64; their error is counted in units of the
    reference's own error in float32 and held against a budget for the precision. Names, dtypes and shapes are
    compared too. Each engine runs in a worker of its own: one that crashes does not stop the others.
    """
    import contextlib
    import sys

    from harness.cli.documents import check_exports
    from harness.cli.signals import interruptible
    from harness.run.parity_check import run_parity
    from harness.show.console import make_console
    from harness.show.progress import make_progress
    from results.store import open_store

    check_exports(flags["json"], flags["html"])
    plan = _plan(flags)
    with open_store(flags["db"]) as store:
        try:
            with interruptible(), make_progress(make_console(stderr=True, quiet=flags["quiet"])) as progress:
                outcome = run_parity(plan, store, progress, command=sys.argv)
        finally:
            if plan.folder is not None:
                with contextlib.suppress(OSError):
                    plan.folder.rmdir()  # goes only while it is empty
        return _finish(outcome, store, flags, make_console())


def _plan(flags: dict[str, Any]) -> ParityPlan:
    from pathlib import Path

    from harness.cli.dims import parse_dims
    from harness.cli.settings import check_input_sets
    from harness.environment.threads import usable_cores
    from harness.errors import UsageError
    from harness.plan.cases import model_name
    from harness.plan.contender import parse_contenders
    from harness.run.parity_check import ParityPlan
    from harness.run.parity_inputs import AskedInputs

    if flags["reproduction"] and not flags["layers"]:
        raise UsageError(f"--reproduction {flags['reproduction']} needs --layers", "add --layers")
    if flags["inputs"]:
        for flag, values in (("--input-set", flags["input_sets"]), ("--dim", flags["dims"])):
            if values:
                raise UsageError(
                    f"{flag} {values[0]} and --inputs {flags['inputs']} exclude each other",
                    "leave one of them out: given inputs have their own sizes",
                )
    name = model_name(flags["model"])
    return ParityPlan(
        model=flags["model"],
        name=name,
        contenders=parse_contenders(flags["contenders"]),
        inputs=AskedInputs(
            sets=check_input_sets(flags["input_sets"]),
            given=Path(flags["inputs"]) if flags["inputs"] else None,
            batches=tuple(dict.fromkeys(flags["batch"])),
            dims=parse_dims(flags["dims"]),
            threads=flags["threads"] or usable_cores(),
            pipeline=flags["pipeline"],
        ),
        reference=flags["reference"],
        judged_as=flags["judge_as"] or "",
        save_inputs=_empty_folder("--save-inputs", flags["save_inputs"]) if flags["save_inputs"] else None,
        deadline_s=flags["deadline"],
        memory_limit=flags["memory_limit"],
        layers=flags["layers"],
        folder=_reproduction(flags["reproduction"], name) if flags["layers"] else None,
        data=flags["data"],
        margin=flags["margin"],
    )


def _reproduction(given: str | None, name: str) -> Path:
    from datetime import datetime
    from pathlib import Path

    if given is not None:
        return _empty_folder("--reproduction", given)
    from platformdirs import user_data_dir

    from results.location import APPLICATION

    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = Path(user_data_dir(APPLICATION)).absolute() / "reproductions" / f"{stamp}-{name}"
    number = 2
    while folder.exists():
        folder = folder.with_name(f"{stamp}-{name}-{number}")
        number += 1
    return _empty_folder("--reproduction", str(folder))


def _empty_folder(flag: str, given: str) -> Path:
    """An empty folder, made. Raises UsageError, StorageError."""
    from pathlib import Path

    from harness.errors import StorageError, UsageError

    folder = Path(given).absolute()
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{flag} {given}: the folder is not empty", "name a new or an empty one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{flag} {given}: the folder cannot be made: {error.strerror}", "name another one"
        ) from None
    return folder


def _finish(outcome: ParityOutcome, store: Store, flags: dict[str, Any], console: Console) -> int:
    from harness.cli.finish import rescue
    from harness.errors import StorageError
    from harness.judge.parity_document import document_of

    document = document_of(outcome.record)
    run_id = outcome.record.id
    try:
        status = "interrupted" if outcome.record.interrupted else "finished"
        store.finish_run(run_id, status, document.exit_code)  # type: ignore[arg-type]
    except StorageError as error:
        outcome.unsaved = outcome.unsaved or error
    show_parity(document, flags, console)
    if outcome.unsaved is not None:
        rescue(document.model_dump_json(), outcome.unsaved, run_id, console)
        raise outcome.unsaved
    if outcome.record.interrupted:
        console.print(
            f"Interrupted: what was checked is stored as run {run_id[:8]} in {store.where}",
            markup=False, style="yellow", soft_wrap=True,
        )  # fmt: skip
    elif not flags["quiet"]:
        console.print(
            f"Stored as run {run_id[:8]} in {store.where}", markup=False, style="dim", soft_wrap=True
        )
    return document.exit_code


def show_parity(document: ParityDocument, flags: dict[str, Any], console: Console) -> None:
    """Print a document, and write what was asked for."""
    from harness.cli.documents import write_text
    from harness.show.parity import print_parity, print_parity_answer

    (print_parity_answer if flags["quiet"] else print_parity)(document, console)
    lines = []
    if flags["json"]:
        write_text(flags["json"], document.model_dump_json(indent=1) + "\n")
        lines.append(f"Record: {flags['json']}")
    if flags["html"]:
        from dashboards.parity_page import render_parity

        write_text(flags["html"], render_parity(document))
        lines.append(f"Report: {flags['html']}")
    for line in lines if not flags["quiet"] else ():
        console.print(line, markup=False, style="dim", soft_wrap=True)
