"""`harness`: finds the command and loads only that one, so that --help answers at once."""

from __future__ import annotations

import importlib
import os
import sys

import click

from harness import __version__

COMMANDS = {
    "compare": ("harness.cli.compare", "Compare engines on one model: speed with intervals, and parity."),
    "parity": ("harness.cli.parity", "Check whether engines compute the right thing, and where it broke."),
    "throughput": ("harness.cli.throughput", "Find how much engines serve under load: the whole curve."),
    "run": ("harness.cli.run", "Run a suite: a matrix of models, contenders and variants, with gates."),
    "profile": ("harness.cli.profile", "Profile engines by layer: operators, kernels, times, side by side."),
    "conformance": (
        "harness.cli.conformance",
        "Run the ONNX project's own test cases on engines, and tell what a release broke.",
    ),
    "history": ("harness.cli.history", "Show a series of stored results, or the newest runs."),
    "report": ("harness.cli.report", "Show a stored comparison again, or write it as an HTML page."),
    "list": ("harness.cli.list", "List backends, models, suites or scenarios."),
    "roofline": (
        "harness.cli.roofline",
        "Measure what this machine can do at best, and how fast a model could be.",
    ),
    "doctor": ("harness.cli.doctor", "Check engines, machine and what may disturb a measurement."),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is used, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from their one-line summaries, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a mistyped command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            suggestion = f"; did you mean '{near[0]}'?" if near else f"; commands: {', '.join(COMMANDS)}"
            ctx.fail(f"No such command '{args[0]}'{suggestion}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Compare deep-learning inference engines: which is fastest, is it right, and can you believe it.

    \b
    Examples:
      harness compare ort openvino --model resnet50
      harness compare torch ort --model path/to/model.onnx --batch 8 --html report.html
      harness parity ort openvino --model resnet50
      harness run quick
      harness doctor

    Exit codes: 0 fine; 1 a gate failed, an engine computes the wrong thing or could not be measured;
    2 bad usage or input; 3 nothing could be measured; 130 interrupted (what was measured is kept).
    """


def main() -> None:
    """Run the command line; errors become messages and exit codes, never tracebacks."""
    _leave_working_directory_alone()
    try:
        code = cli.main(prog_name="harness", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output is gone (`harness history | head`); nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        from harness.errors import HarnessError

        if not isinstance(error, HarnessError):
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(int(error.exit_code))
    sys.exit(code if isinstance(code, int) else 0)


def _leave_working_directory_alone() -> None:
    """Drop the script's own folder or the working directory from the import path, as `python -P` does.

    A user's folder may well have a `results.py` of its own, and our rooms have names as general as that.
    """
    if not sys.flags.safe_path and sys.path:
        first = sys.path[0]
        folder = os.path.dirname(os.path.abspath(sys.argv[0]))  # noqa: PTH100, PTH120 - pathlib costs start-up time
        if first in ("", os.getcwd(), folder):  # noqa: PTH109
            del sys.path[0]


if __name__ == "__main__":
    main()
