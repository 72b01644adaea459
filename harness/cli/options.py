"""Options that several commands share, with one wording each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic in newer releases of click only


class QuantityType(ParamType):
    """An option such as "45s", "2%" or "8GiB", read by the same functions as suite files."""

    def __init__(self, kind: str) -> None:
        self.name = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The quantity as a number: seconds, a share of one, or bytes."""
        from harness.plan import quantities

        if not isinstance(value, str):
            return value
        read = {
            "duration": quantities.parse_duration,
            "share": quantities.parse_share,
            "size": quantities.parse_size,
        }[self.name]
        number: int | float | str = value
        if value.isdecimal():
            number = int(value)
        elif value.replace(".", "", 1).isdecimal():
            number = float(value)
        try:
            return read(number)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = QuantityType("duration")
SHARE = QuantityType("share")
SIZE = QuantityType("size")


def db_option(function: F) -> F:
    """`--db`."""
    return click.option(
        "--db", metavar="URL", default=None, help="Database: a URL or a SQLite file [env: HARNESS_DB]"
    )(function)


def output_options(function: F) -> F:
    """`--json`, `--html` and `--quiet`."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="Print only the final answer and errors."),
        click.option("--html", metavar="FILE", type=click.Path(), help="Write a self-contained HTML report."),
        click.option(
            "--json", metavar="FILE", type=click.Path(), help="Write the full record with raw samples."
        ),
    ):
        function = option(function)
    return function


def measuring_options(function: F) -> F:
    """How to measure: budget, stopping, deadline, memory."""
    for option in (
        click.option("--fresh", is_flag=True, help="Start over instead of resuming an unfinished run."),
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random order."),
        click.option(
            "--memory-limit", type=SIZE, metavar="SIZE", help="Most memory a worker may allocate, e.g. 8GiB."
        ),
        click.option(
            "--deadline",
            type=DURATION,
            default="120s",
            show_default=True,
            metavar="TIME",
            help="Longest a single step of a worker may take.",
        ),
        click.option(
            "--warmup-max",
            type=DURATION,
            default="10s",
            show_default=True,
            metavar="TIME",
            help="Longest warm-up of a trial.",
        ),
        click.option(
            "--max-trials",
            type=click.IntRange(1, 200),
            default=12,
            show_default=True,
            help="Most fresh processes per contender.",
        ),
        click.option(
            "--min-trials",
            type=click.IntRange(1, 200),
            default=4,
            show_default=True,
            help="Fewest before a narrow interval may end it early.",
        ),
        click.option(
            "--budget",
            type=DURATION,
            default="50s",
            show_default="50s, and 50s more where a ratio is not known to ±5% by then",
            metavar="TIME",
            help="Time for measuring one group of contenders.",
        ),
        click.option(
            "--target-ci",
            type=SHARE,
            default="1%",
            show_default=True,
            metavar="SHARE",
            help="Stop when every ratio is known to within ± this.",
        ),
        click.option(
            "--confidence",
            type=SHARE,
            default="95%",
            show_default=True,
            metavar="SHARE",
            help="Confidence of all intervals.",
        ),
        click.option(
            "--margin",
            type=SHARE,
            default="2%",
            show_default=True,
            metavar="SHARE",
            help="Differences below this count as none.",
        ),
    ):
        function = option(function)
    return function
