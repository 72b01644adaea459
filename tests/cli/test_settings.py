"""What the measuring flags ask for, without measuring."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from harness.cli.options import measuring_options
from harness.cli.settings import settings_from_flags
from harness.records import Settings


def settings(*flags: str) -> Settings:
    chosen: list[Settings] = []

    @click.command()
    @measuring_options
    def command(**values: object) -> None:
        chosen.append(settings_from_flags(values))

    done = CliRunner().invoke(command, list(flags))
    assert done.exit_code == 0, done.output
    return chosen[0]


def test_without_flags_the_settings_are_the_usual_ones() -> None:
    assert settings() == Settings()


@pytest.mark.parametrize(("flags", "budget_s", "extension_s"), [((), 50, 50), (("--budget", "50s"), 50, 0)])
def test_a_budget_that_is_given_is_kept(flags: tuple[str, ...], budget_s: float, extension_s: float) -> None:
    found = settings(*flags)
    assert (found.budget_s, found.extension_s) == (budget_s, extension_s)


@pytest.mark.parametrize(
    ("flags", "fewest", "most"),
    [((), 4, 12), (("--max-trials", "2"), 2, 2), (("--min-trials", "20"), 20, 20)],
)
def test_a_number_of_trials_moves_the_other_default(flags: tuple[str, ...], fewest: int, most: int) -> None:
    found = settings(*flags)
    assert (found.min_trials, found.max_trials) == (fewest, most)
