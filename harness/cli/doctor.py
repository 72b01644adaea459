"""`harness doctor`: engines, machine, and what may disturb a measurement."""

from __future__ import annotations

import click

WATCH_S = 1.0


@click.command(name="doctor", short_help="Check engines, machine and what may disturb a measurement.")
@click.option(
    "--json", "json_file", type=click.Path(), metavar="FILE", help="Also write what was found as JSON."
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; only write --json and set the exit code.")
def command(json_file: str | None, quiet: bool) -> int:
    """Check which engines run here, and what on this machine would spoil a measurement.

    Every engine is tried in a process of its own. The machine is then watched for one second while nothing of
    ours runs.

    \b
    Examples:
      harness doctor
      harness doctor --json doctor.json

    Exit codes: 0 at least one engine can run here; 2 bad usage; 3 no engine can run here.
    """
    import sys

    from harness import checkup
    from harness.cli.documents import check_writable, write_text
    from harness.show import doctor as show
    from harness.show.console import make_console

    check_writable(json_file)
    found = checkup.check(sys.argv, WATCH_S)
    show.print_checkup(found, make_console(quiet=quiet))
    if json_file is not None:
        write_text(json_file, checkup.to_json(found))
        if not quiet:
            click.echo(f"Written to {json_file}")
    return int(checkup.exit_code(found))
