"""Charts: the figures in their specifications and tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dashboards import samples
from dashboards.charts.latency import distribution_chart, trials_chart
from dashboards.charts.memory import memory_chart
from dashboards.charts.parity import FLOOR, parity_chart
from dashboards.charts.ratio import ratio_chart
from dashboards.charts.rounds import rounds_chart
from dashboards.charts.theme import Extent, extent
from dashboards.charts.warmup import warmup_chart
from dashboards.palette import assign
from harness.judge.judging import judge_group
from harness.records import Memory
from tests.dashboards import documents
from tests.dashboards.documents import measured, parity, trials, unavailable

OF_RESULTS = (distribution_chart, trials_chart, rounds_chart, warmup_chart, parity_chart, memory_chart)


def rows_of(chart, *keys):
    """The inline rows of a chart that hold all `keys`."""
    found = []

    def walk(node):
        if isinstance(node, dict):
            found.extend(
                row for row in node.get("values", []) if isinstance(row, dict) and row.keys() >= set(keys)
            )
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk({"datasets": [{"values": rows} for rows in chart.spec.get("datasets", {}).values()]})
    walk({key: value for key, value in chart.spec.items() if key != "datasets"})
    return found


def two():
    results = [measured("ort", 4.0, 1), measured("torch", 8.0, 2)]
    return results, assign(["ort", "torch"])


@pytest.mark.parametrize("make", OF_RESULTS)
def test_nothing_measured_gives_no_chart(make):
    assert make([unavailable("trt")], assign(["trt"])) is None


@pytest.mark.parametrize("make", OF_RESULTS)
def test_every_chart_is_labelled_and_has_its_figures_as_a_table(make):
    chart = make(*two())
    assert chart.title
    assert chart.caption
    assert "ort" in chart.label
    assert "torch" in chart.label
    assert {row[0] for row in chart.table.rows} == {"ort", "torch"} or chart.name == "rounds"
    assert all(len(row) == len(chart.table.headers) for row in chart.table.rows)


@pytest.mark.parametrize("make", OF_RESULTS)
def test_specifications_are_plain_json_without_addresses_to_load(make):
    text = json.dumps(make(*two()).spec, allow_nan=False)
    assert '"url"' not in text


def test_samples_are_seconds_per_call():
    result = measured("ort", 4.0, 1, trials=trials(0.02, calls=16))
    assert np.median(samples.all_seconds(result)) == pytest.approx(20e-6, rel=0.1)


def test_the_distribution_runs_from_the_smallest_to_the_largest_sample():
    results, series = two()
    chart = distribution_chart(results, series)
    mine = [row for row in rows_of(chart, "share", "latency") if row["contender"] == "ort"]
    seconds = samples.all_seconds(results[0])
    assert mine[0]["latency"] == pytest.approx(seconds.min() * 1e3, rel=1e-3)
    assert mine[-1]["latency"] == pytest.approx(seconds.max() * 1e3, rel=1e-3)
    assert [row["share"] for row in mine] == sorted(row["share"] for row in mine)
    middle = min(mine, key=lambda row: abs(row["share"] - 0.5))
    assert middle["latency"] == pytest.approx(np.median(seconds) * 1e3, rel=1e-2)


def test_every_trial_has_its_own_line():
    results, series = two()
    chart = trials_chart(results, series)
    rows = rows_of(chart, "p5", "p50", "p95")
    assert {(row["contender"], row["trial"]) for row in rows} == {
        (name, number) for name in ("ort", "torch") for number in (1, 2, 3, 4)
    }
    first = samples.trial_spreads(results[0])[0]
    shown = next(row for row in rows if row["contender"] == "ort" and row["trial"] == 1)
    assert shown["p50"] == pytest.approx(first.p50 * 1e3, rel=1e-3)


def test_a_slow_machine_shows_in_the_canary_too():
    chart = rounds_chart(*two())
    canary = {
        row["round"]: row["relative"] for row in rows_of(chart, "relative") if row["contender"] == "canary"
    }
    assert len(canary) == 24
    assert max(canary, key=canary.get) in range(16, 19)
    assert max(canary.values()) > 1.08
    assert chart.table.headers == ("round", "trial", "ort", "torch", "canary")


def test_without_canaries_the_caption_says_so():
    result = measured("ort", 4.0, 1)
    bare = [
        trial.model_copy(
            update={"rounds": tuple(r.model_copy(update={"canary_ns": None}) for r in trial.rounds)}
        )
        for trial in result.trials
    ]
    chart = rounds_chart([result.model_copy(update={"trials": tuple(bare)})], assign(["ort"]))
    assert "No canary was recorded" in chart.caption
    assert "canary" not in chart.table.headers


def test_a_contender_called_canary_keeps_its_figures():
    chart = rounds_chart([measured("canary", 4.0, 1)], assign(["canary"]))
    first = chart.table.rows[0]
    assert first[2].startswith(("3.", "4."))
    assert first[3].startswith(("4.", "5."))


def test_a_trial_that_never_became_steady_has_no_mark():
    result = measured("ort", 4.0, 1)
    assert result.trials[3].steady_from is None
    chart = warmup_chart([result], assign(["ort"]))
    marked = [row for row in rows_of(chart, "call") if row["call"] - 1 == result.trials[0].steady_from]
    assert marked
    assert chart.table.rows[3][3] == "never"
    assert chart.table.rows[0][3] == str(result.trials[0].steady_from + 1)


def test_errors_are_drawn_in_yardsticks_beside_their_budgets():
    result = measured("ort", 4.0, 1, parity=parity("fail", 40.0, budget=10.0))
    chart = parity_chart([result], assign(["ort"]))
    rows = rows_of(chart, "error", "budget", "measure")
    drawn = {(row["place"], row["measure"]): (row["error"], row["budget"]) for row in rows}
    for output in result.parity.outputs:
        place = f"{output.output} · {output.input_set}"
        assert drawn[place, "rms"] == (output.ratio_rms, 10.0)
        assert drawn[place, "max"] == (output.ratio_max, 20.0)


def test_an_exact_output_is_drawn_at_the_floor():
    result = measured("ort", 4.0, 1, parity=parity("pass", 0.0))
    rows = rows_of(parity_chart([result], assign(["ort"])), "error", "measure")
    assert {row["error"] for row in rows} == {FLOOR}


def test_too_many_places_are_cut_to_the_worst_and_the_caption_says_so():
    results = [measured(f"c{n}", 4.0, n, parity=parity("pass", 1.0 + n, outputs=9)) for n in range(6)]
    chart = parity_chart(results, assign([f"c{n}" for n in range(6)]))
    places = {row["place"] for row in rows_of(chart, "error", "measure")}
    assert f"the {len(places)} of 27 places" in chart.caption
    outputs = [output for result in results for output in result.parity.outputs]
    worst = max(outputs, key=lambda o: max(o.ratio_rms / o.budget_rms, o.ratio_max / o.budget_max))
    assert f"{worst.output} · {worst.input_set}" in places
    assert len(chart.table.rows) == len(outputs)


def test_outputs_without_figures_are_counted_not_hidden():
    found = parity("fail", 3.0)
    broken = found.outputs[0].model_copy(
        update={"ratio_rms": None, "ratio_max": None, "reason": "3 values are NaN"}
    )
    mixed = found.model_copy(update={"outputs": (broken, *found.outputs[1:])})
    chart = parity_chart([measured("ort", 4.0, 1, parity=mixed)], assign(["ort"]))
    assert "1 of 3 comparisons have no finite error" in chart.caption
    assert "fail: 3 values are NaN" in chart.table.rows[0]


def test_memory_bars_end_at_the_peak():
    result = measured("ort", 4.0, 1)
    rows = rows_of(memory_chart([result], assign(["ort"])), "from", "to")
    assert [row["from"] for row in rows][1:] == [row["to"] for row in rows][:-1]
    assert rows[0]["from"] == 0
    assert rows[-1]["to"] == pytest.approx(result.memory.peak / 1e6, rel=1e-3)


def test_a_memory_step_that_was_not_recorded_joins_the_next():
    result = measured("ort", 4.0, 1).model_copy(update={"memory": Memory(peak=300_000_000)})
    chart = memory_chart([result], assign(["ort"]))
    assert [(row["from"], row["to"]) for row in rows_of(chart, "from", "to")] == [(0, 300)]
    assert chart.table.rows[0] == ("ort", "n/a", "n/a", "300\u00a0MB")


def test_the_forest_plot_shows_ratio_intervals_and_margin():
    group = judge_group(two()[0])
    chart = ratio_chart(group)
    (pair,) = group.pairs
    (row,) = rows_of(chart, "pair", "ratio")
    assert (row["ratio"], row["low"], row["high"]) == (pair.ratio.value, pair.ratio.low, pair.ratio.high)
    assert (row["from"], row["to"]) == (pair.decision_low, pair.decision_high)
    assert {"from": pytest.approx(1 / 1.02), "to": 1.02} in rows_of(chart, "from", "to")
    assert "faster" in chart.label


def test_pairs_without_a_ratio_are_not_drawn():
    assert ratio_chart(judge_group([measured("ort", 4.0, 1), unavailable("trt")])) is None


def test_axes_are_logarithmic_only_for_large_spans():
    assert not extent([1.0, 3.0]).log
    assert extent([1.0, 30.0]).log
    assert not extent([0.0, 30.0]).log
    wide = Extent(1e-2, 1e6, log=True)
    assert wide.ticks() == pytest.approx([10.0**power for power in range(-2, 7)])
    assert Extent(0.9, 30.0, log=True).ticks() == [1, 2, 5, 10, 20]


def test_contenders_keep_colour_and_shape_apart():
    found = assign(["a", "b", "a", *(f"c{n}" for n in range(14))])
    assert list(found)[:2] == ["a", "b"]
    looks = {(series.css_class, series.shape, tuple(series.dash)) for series in found.values()}
    assert len(looks) == len(found)


def test_the_page_stays_small_however_many_samples_there_are():
    few = measured("ort", 4.0, 1)
    many = measured("ort", 4.0, 1, trials=trials(4.0, samples=3000, seed=1))
    small, large = (len(json.dumps(distribution_chart([r], assign(["ort"])).spec)) for r in (few, many))
    assert large < small * 2


def test_hostile_names_reach_the_data_unchanged():
    document = documents.hostile()
    chart = distribution_chart(document.results, assign(documents.HOSTILE_NAMES))
    assert {row["contender"] for row in rows_of(chart, "share")} == set(documents.HOSTILE_NAMES[:-1])
