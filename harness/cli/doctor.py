"""`harness doctor`: engines, machine, and what may disturb a measurement."""

from __future__ import annotations

import click

from harness.cli.options import DURATION

WATCH_S = 1.0
SHORTEST_NOISE_S = 5.0


@click.command(name="doctor", short_help="Check engines, machine and what may disturb a measurement.")
@click.option(
    "--json", "json_file", type=click.Path(), metavar="FILE", help="Also write what was found as JSON."
)
@click.option("--noise", is_flag=True, help="Also measure how small a difference this machine can resolve.")
@click.option(
    "--noise-time",
    type=DURATION,
    default="20s",
    show_default=True,
    metavar="TIME",
    help="How long --noise measures; at least 5s.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; only write --json and set the exit code.")
def command(json_file: str | None, noise: bool, noise_time: float, quiet: bool) -> int:
    """Check which engines run here, and what on this machine would spoil a measurement.

    Every engine is tried in a process of its own. The machine is then watched for one second while nothing of
    ours runs.

    --noise runs the same work in two identical processes, in rounds as a comparison does, several times anew.
    From how much they differ it says which difference between two engines could be told from none. Measure while
    the machine is as it will be when you compare.

    \b
    Examples:
      harness doctor
      harness doctor --noise
      harness doctor --json doctor.json

    Exit codes: 0 at least one engine can run here; 2 bad usage; 3 no engine can run here.
    """
    import sys

    from harness import checkup
    from harness.cli.documents import check_writable, write_text
    from harness.errors import UsageError
    from harness.show import doctor as show
    from harness.show.console import make_console
    from harness.show.progress import make_progress

    if noise and noise_time < SHORTEST_NOISE_S:
        raise UsageError(
            f"--noise-time {noise_time:g}s is too short: several processes must start in it",
            f"give at least {SHORTEST_NOISE_S:g}s",
        )
    check_writable(json_file)
    console = make_console(quiet=quiet)
    found = checkup.check(sys.argv, WATCH_S)
    if noise:
        with make_progress(make_console(stderr=True, quiet=quiet)) as observer:
            found = checkup.with_noise(found, checkup.listen(found.machine, noise_time, observer))
    show.print_checkup(found, console)
    if json_file is not None:
        write_text(json_file, checkup.to_json(found))
        if not quiet:
            click.echo(f"Written to {json_file}")
    return int(checkup.exit_code(found))
