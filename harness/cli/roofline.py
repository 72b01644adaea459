"""`harness roofline`: what this machine can do at best, and how fast a model could be on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import ParamType

if TYPE_CHECKING:
    from harness.records.work import Ceilings
    from harness.show.progress import ProgressView
    from harness.show.roofline import ModelAtBest


class PrecisionType(ParamType):
    """A precision that contenders may have."""

    name = "precision"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The precision as it is written after `@`."""
        from backends.contract import PRECISIONS

        if value not in PRECISIONS:
            self.fail(f"{value!r} is no precision; known: {', '.join(PRECISIONS)}", param, ctx)
        return value


@click.command(
    "roofline",
    epilog="""\b
Examples:
  harness roofline
  harness roofline --precision fp32 --precision int8 --threads 1
  harness roofline --model resnet50 --batch 8
  harness roofline --fresh --json ceilings.json

Ceilings are kept in the cache until the machine or a library changes; --fresh measures them again.
Exit codes: 0 fine; 1 one of the ceilings, or the model's work, could not be found out; 2 bad usage or input;
3 no ceiling could be measured; 130 interrupted.""",
)
@click.option("--precision", "-p", "precisions", multiple=True, type=PrecisionType(), default=("fp32",), metavar="NAME",
              help="Precision of the products; may be given several times [default: fp32].")  # fmt: skip
@click.option("--threads", "-t", type=click.IntRange(1), help="Threads [default: usable cores].")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Whose ceilings."
)
@click.option("--model", "-m", metavar="NAME|PATH", help="Also say how fast this model could be.")
@click.option("--batch", "-b", type=click.IntRange(1), default=1, show_default=True, help="Its batch size.")
@click.option("--dim", "dims", multiple=True, metavar="NAME=SIZE", help="Size of a named dynamic dimension.")
@click.option("--fresh", is_flag=True, help="Measure again instead of taking ceilings from the cache.")
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(), help="Also write what was found as JSON."
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; only write --json and set the exit code.")
def command(**flags: Any) -> int:
    """Measure what this machine can do at best: matrix products by precision, and memory streaming.

    The best of every library at hand counts, each in a process of its own, in interleaved rounds. A ceiling takes
    10 to 20 seconds. With --model, the model's operations and bytes are counted, and the least time of one call that
    follows from them is shown.
    """
    from harness.cli.documents import check_writable, write_text
    from harness.cli.signals import interruptible
    from harness.environment.threads import usable_cores
    from harness.run.ceilings import ceilings
    from harness.show.console import make_console
    from harness.show.progress import make_progress
    from harness.show.roofline import print_ceilings, to_json

    check_writable(flags["json_file"])
    quiet, threads = flags["quiet"], flags["threads"] or usable_cores()
    with interruptible(), make_progress(make_console(stderr=True, quiet=quiet)) as progress:
        counted = _count(flags, threads, progress)
        found = ceilings(threads, flags["precisions"], progress, fresh=flags["fresh"], device=flags["device"])
    at_best = _place(counted, found, flags["precisions"]) if counted else None
    print_ceilings(found, at_best, make_console(quiet=quiet))
    if flags["json_file"]:
        write_text(flags["json_file"], to_json(found, at_best))
        if not quiet:
            click.echo(f"Written to {flags['json_file']}")
    if not found.compute and found.memory is None:
        return 3
    return 1 if found.missing or (at_best is not None and at_best.work is None) else 0


def _count(flags: dict[str, Any], threads: int, progress: ProgressView) -> ModelAtBest | None:
    """The model's work, before time is spent on ceilings; None where no model is asked for. Raises HarnessError."""
    from harness.cli.dims import parse_dims
    from harness.errors import UsageError
    from harness.plan.cases import model_dims
    from harness.run.models import resolve_model
    from harness.run.work import NoWorkError, count_work
    from harness.show.roofline import ModelAtBest

    dims, name = parse_dims(flags["dims"]), flags["model"]
    if not name:
        if dims:
            raise UsageError(
                f"--dim {flags['dims'][0]} is the size of a model's dimension", "give --model too"
            )
        return None
    model = resolve_model(name, name, progress, threads=threads)
    try:
        return ModelAtBest(name=name, work=count_work(model.source, flags["batch"], model_dims(name, dims)))
    except NoWorkError as error:
        return ModelAtBest(name=name, reason=str(error))


def _place(counted: ModelAtBest, found: Ceilings, precisions: Sequence[str]) -> ModelAtBest:
    from harness.judge.roofline import at_best

    if counted.work is None:
        return counted
    best = {precision: at_best(counted.work, precision, found) for precision in dict.fromkeys(precisions)}
    return counted.model_copy(update={"best": best})
