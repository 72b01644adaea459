"""`harness run`: a suite, measured, stored and gated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import db_option, output_options

if TYPE_CHECKING:
    from harness.plan.cases import Plan


@click.command(
    "run",
    epilog="""\b
Examples:
  harness run quick --dry-run
  harness run suites/quick.yaml --html report.html
  harness run nightly.yaml --json results.json --db results.db

Exit codes: 0 fine; 1 a gate failed, a contender is wrong or could not be measured; 2 bad usage or input;
3 nothing could be measured; 130 interrupted (the same command goes on from there).""",
)
@click.argument("suite", metavar="SUITE")
@click.option("--dry-run", is_flag=True, help="List the cases and the expected time; measure nothing.")
@click.option("--fresh", is_flag=True, help="Start over instead of resuming an unfinished run.")
@output_options
@db_option
def command(**flags: Any) -> int:
    """Run a suite: a file that names models, contenders and variants as a matrix, with budgets and gates.

    SUITE is a YAML file, or the name of a shipped suite (`harness list suites`). Every result is stored the moment
    its case ends; a run that was stopped goes on where it stopped.
    """
    from harness.cli.compare import measure
    from harness.cli.documents import check_exports
    from harness.environment.threads import usable_cores
    from harness.plan.cases import plan_suite
    from harness.plan.suite_file import find_suite, load_suite
    from harness.show.console import make_console

    plan = plan_suite(load_suite(find_suite(flags["suite"])), usable_cores())
    if flags["dry_run"]:
        _dry_run(plan)
        return 0
    check_exports(flags["json"], flags["html"])
    return measure(plan, flags, make_console())


def _dry_run(plan: Plan) -> None:
    from harness.plan.expected_time import expected_seconds
    from harness.show.console import make_console
    from harness.show.plans import print_plan

    print_plan(plan, expected_seconds(plan), make_console())
