"""Results of closed loops in the database: whole, and apart from those of single calls."""

from __future__ import annotations

from pathlib import Path

from results.store import open_store
from tests.factories import make_result, make_run
from tests.loads import make_loaded


def test_a_closed_loop_comes_back_with_its_ends(tmp_path: Path) -> None:
    run = make_run(kind="throughput")
    results = [make_loaded("ort", level, run=run) for level in (1, 4)]
    with open_store(str(tmp_path / "h.db")) as store:
        store.begin_run(run)
        for result in results:
            store.save_result(result)
        assert store.results_of(run.id) == sorted(results, key=lambda r: (r.created_at, r.id))
        store.save_result(results[0])
        points = store.series("resnet50", "ort")
        assert len({point.series for point in points}) == 2


def test_a_comparison_from_history_is_never_a_closed_loop(tmp_path: Path) -> None:
    run = make_run()
    with open_store(str(tmp_path / "h.db")) as store:
        store.begin_run(run)
        store.save_result(make_loaded("ort", 4, threads=2, run=run))
        assert store.latest_group("resnet50", ["ort"]) == []
        assert store.contenders_of("resnet50") != {}
        single = make_result("ort", run=run)
        store.save_result(single)
        assert store.latest_group("resnet50", ["ort"]) == [single]
