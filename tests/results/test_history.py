"""`harness history` over a real database."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from harness.cli.history import command
from harness.errors import InputError, UsageError
from harness.judge.comparison import Estimate
from harness.show.history import change
from results.store import NoDatabaseError, open_store
from tests.factories import at, make_environment, make_failure, make_result, make_run

DAY = 1440


@pytest.fixture(autouse=True)
def own_place(monkeypatch, tmp_path):
    monkeypatch.delenv("HARNESS_DB", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def history(*arguments):
    outcome = CliRunner().invoke(command, [str(each) for each in arguments], standalone_mode=False)
    if outcome.exception is not None:
        raise outcome.exception
    return outcome.return_value, outcome.output


def p50(value, half=0.01):
    return {"p50": Estimate(value=value, low=value * (1 - half), high=value * (1 + half), unit="s")}


@pytest.fixture
def filled(path):
    with open_store(str(path)) as store:
        for day, (seconds, version) in enumerate(
            [(0.0331, "1.30.0"), (0.0351, "1.31.0"), (0.0352, "1.31.0")]
        ):
            run = make_run(
                id=f"{day}run" + "0" * 28,
                name=f"night {day}",
                started_at=at(day * DAY),
                environment=make_environment(commit=f"{day}" * 40),
            )
            store.begin_run(run)
            store.save_result(
                make_result("ort", run=run, created_at=at(day * DAY), engine_version=version),
                metrics=p50(seconds),
            )
            store.save_result(
                make_result("openvino@int8", run=run, created_at=at(day * DAY + 1), batch=8),
                metrics=p50(0.004),
            )
            store.finish_run(run.id, "finished", 0)
        broken = make_run(started_at=at(3 * DAY), name="broken night")
        store.begin_run(broken)
        store.save_result(make_failure("ort", run=broken, created_at=at(3 * DAY)))
        store.finish_run(broken.id, "interrupted", 130)
    return path


def lines_with(text, output):
    return [line for line in output.splitlines() if text in line]


def test_without_a_model_it_lists_the_newest_runs_first(filled):
    code, output = history("--db", filled)
    assert code == 0
    first, *rest = [line for line in output.splitlines() if "night" in line]
    assert "broken night" in first and "interrupted (130)" in first and "0 of 1" in first
    assert [line.split("night ")[1][0] for line in rest] == ["2", "1", "0"]
    assert (
        "0run0000" in rest[-1]
        and "finished (0)" in rest[-1]
        and "2 of 2" in rest[-1]
        and "00000000" in rest[-1]
    )
    assert str(filled) in output


def test_a_series_shows_figures_changes_and_circumstances(filled):
    code, output = history("--db", filled, "--model", "resnet50", "--contender", "ort")
    assert code == 0
    first, second, third, crashed = lines_with(" ort ", "\n".join(output.splitlines()[:6]))
    for words in (
        "2026-11-03 04:05",
        "1/2",
        "33.1\u00a0ms [32.8, 33.4]",
        "–",
        "pass",
        "1.30.0",
        "00000000",
        "0run",
    ):
        assert words in first
    assert "+6.0 %" in second and "~" not in second and "1.31.0" in second
    assert "~+0.3 %" in third
    assert "n/a (crashed)" in crashed and "unknown" in crashed
    assert "the intervals overlap" in output
    assert "no p50 was saved" in output
    assert "openvino" not in output


def test_series_are_kept_apart(filled):
    _, output = history("--db", filled, "--model", "resnet50")
    rows = [line for line in output.splitlines() if line.startswith("2026-")]
    assert [row.split()[2] for row in rows] == ["ort"] * 4 + ["openvino@int8"] * 3
    assert "–" in rows[4] and "0.0 %" in rows[5]


def test_another_spelling_of_a_contender(filled):
    assert (
        history("--db", filled, "--model", "resnet50", "--contender", "ov@int8")[1].count("openvino@int8")
        == 3
    )


def test_output_is_plain_away_from_a_terminal(filled):
    assert "\x1b" not in history("--db", filled, "--model", "resnet50")[1]


def test_names_are_not_taken_for_markup(path):
    with open_store(str(path)) as store:
        run = make_run(name="[bold]x[/bold] [/] <b>")
        store.begin_run(run)
    assert "[bold]x[/bold] [/] <b>" in " ".join(history("--db", path)[1].split())


def test_limit(filled):
    _, output = history("--db", filled, "--limit", 2)
    assert len(lines_with("night", output)) == 2
    _, output = history("--db", filled, "--model", "resnet50", "--contender", "ort", "--limit", 2)
    assert len([line for line in output.splitlines() if line.startswith("2026-")]) == 2


def test_runs_of_one_model(filled):
    _, output = history("--db", filled, "--runs", "--model", "resnet50", "--limit", 1)
    assert "broken night" in output


def test_json_has_what_is_shown(filled, tmp_path):
    file = tmp_path / "out.json"
    history("--db", filled, "--model", "resnet50", "--contender", "ort", "--json", file)
    document = json.loads(file.read_text())
    assert (document["schema_version"], document["kind"], document["database"]) == (1, "history", str(filled))
    assert [each["value"] for each in document["points"]] == [0.0331, 0.0351, 0.0352, None]
    assert document["points"][0]["created_at"] == "2026-11-03T04:05:06.789012+00:00"
    history("--db", filled, "--json", file)
    document = json.loads(file.read_text())
    assert [each["status"] for each in document["runs"]] == [
        "interrupted",
        "finished",
        "finished",
        "finished",
    ]


def test_quiet_prints_nothing_and_writes_all_the_same(filled, tmp_path):
    file = tmp_path / "out.json"
    assert history("--db", filled, "--quiet", "--json", file) == (0, "")
    assert len(json.loads(file.read_text())["runs"]) == 4


def test_an_empty_history_says_how_to_make_some(path, tmp_path):
    code, output = history()
    assert code == 0
    assert "harness compare" in output
    assert not (tmp_path / "home").exists()
    with open_store(str(path)):
        pass
    file = tmp_path / "out.json"
    code, output = history("--db", path, "--model", "resnet50", "--json", file)
    assert code == 0 and "harness compare" in output
    assert json.loads(file.read_text())["points"] == []


def test_a_database_named_by_hand_must_be_there(tmp_path):
    with pytest.raises(NoDatabaseError, match=r"typo\.db"):
        history("--db", tmp_path / "typo.db")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "resnet5"), ["--model 'resnet5'", "did you mean 'resnet50'"]),
        (("--model", "zzz"), ["--model 'zzz'", "models: resnet50"]),
        (
            ("--model", "resnet50", "--contender", "trt"),
            ["--contender 'trt'", "contenders of resnet50: openvino"],
        ),
        (("--model", "resnet50", "--metric", "p51"), ["--metric 'p51'", "did you mean 'p50'"]),
        (("--runs", "--model", "bert"), ["--model 'bert'"]),
    ],
)
def test_what_is_not_there_is_named_with_what_is(filled, arguments, words):
    with pytest.raises(InputError) as caught:
        history("--db", filled, *arguments)
    assert all(each in str(caught.value) for each in words)


@pytest.mark.parametrize(
    "arguments", [("--contender", "ort"), ("--metric", "p99"), ("--runs", "--contender", "ort")]
)
def test_options_that_need_a_series(filled, arguments):
    with pytest.raises(UsageError, match="needs a series"):
        history("--db", filled, *arguments)


def test_a_json_file_that_cannot_be_written(filled, tmp_path):
    with pytest.raises(UsageError, match=r"--json .*out\.json: cannot be written"):
        history("--db", filled, "--json", tmp_path / "nowhere" / "out.json")


def test_change_is_not_computed_across_models_or_from_nothing(store):
    run = make_run()
    store.begin_run(run)
    store.save_result(make_result(run=run, created_at=at(1)), metrics=p50(0.0))
    case = make_result(run=run).case
    other = case.model_copy(update={"model": case.model.model_copy(update={"sha256": "other"})})
    store.save_result(make_result(run=run, created_at=at(2), case=other), metrics=p50(2.0))
    store.save_result(make_result(run=run, created_at=at(3)), metrics=p50(1.0))
    zero, changed, plain = store.series("resnet50")
    assert change(None, plain) == "–"
    assert change(zero, plain) == "n/a"
    assert change(changed, plain) == "other model"
    assert change(plain, plain) == "~0.0 %"


def test_help_needs_no_database_library():
    code = (
        "import sys, harness.cli.history, results.location\n"
        "heavy = {'sqlalchemy', 'alembic', 'pydantic', 'numpy', 'rich', 'platformdirs', 'psutil'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
