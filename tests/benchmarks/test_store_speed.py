"""How long does storing a result take, and finding the newest comparison among thousands? Beside a JSON file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.records import Result, Run, new_id
from results.store import Store, open_store
from tests.benchmarks.side_by_side import Table, run_side_by_side
from tests.factories import at, make_result, make_run, make_trials

RESULTS = 2_000
MODELS = 10
CONTENDERS = ("ort", "openvino")
ROUNDS = 20

SAVE = "store.save_result (on disk when it returns)"
SAVE_FILE = "the same record as a JSON file, flushed to disk"
LATEST = f"store.latest_group among {RESULTS} results"
LATEST_FILE = "the same two records read from JSON files whose names are known"


@pytest.fixture(scope="module")
def run() -> Run:
    return make_run()


@pytest.fixture(scope="module")
def result(run: Run) -> Result:
    """12 trials of 8 rounds of 250 samples."""
    return make_result(run=run, trials=make_trials(12, rounds=8, samples=250))


@pytest.fixture(scope="module")
def store(run: Run, result: Result, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Small results of ten models, and one realistic pair of "wanted" in the middle of them."""
    with open_store(str(tmp_path_factory.mktemp("store") / "harness.db")) as opened:
        opened.begin_run(run)
        small = make_trials(3, rounds=4, samples=20)
        for number in range(RESULTS // len(CONTENDERS)):
            wanted = number == RESULTS // 4
            for contender in CONTENDERS:
                opened.save_result(
                    make_result(
                        contender,
                        run=run,
                        model="wanted" if wanted else f"model-{number % MODELS}",
                        group_id=f"group-{number}",
                        created_at=at(number),
                        trials=result.trials if wanted else small,
                    )
                )
        yield opened


def test_saving(benchmark: Any, publish: Any, store: Store, result: Result, tmp_path: Path) -> None:
    def save() -> float:
        fresh = result.model_copy(update={"id": new_id()})
        start = time.perf_counter()
        store.save_result(fresh)
        return time.perf_counter() - start

    def save_file() -> float:
        start = time.perf_counter()
        with (tmp_path / f"{new_id()}.json").open("w") as file:
            file.write(result.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        return time.perf_counter() - start

    values = run_side_by_side(benchmark, {SAVE: save, SAVE_FILE: save_file}, ours=SAVE, rounds=ROUNDS)
    publish(Table("Storing a result of 12 trials × 8 rounds × 250 samples", "s", values), SAVE_FILE)


def test_newest_comparison(benchmark: Any, publish: Any, store: Store, tmp_path: Path) -> None:
    wanted = store.latest_group("wanted", CONTENDERS)
    assert [r.case.contender.text for r in wanted] == list(CONTENDERS)
    assert sum(len(r.samples_ns) for r in wanted[0].trials[0].rounds) == 8 * 250
    files = [tmp_path / f"{each.id}.json" for each in wanted]
    for file, each in zip(files, wanted, strict=True):
        file.write_text(each.model_dump_json())

    def latest() -> float:
        start = time.perf_counter()
        store.latest_group("wanted", CONTENDERS)
        return time.perf_counter() - start

    def latest_file() -> float:
        start = time.perf_counter()
        for file in files:
            Result.model_validate_json(file.read_text())
        return time.perf_counter() - start

    values = run_side_by_side(
        benchmark, {LATEST: latest, LATEST_FILE: latest_file}, ours=LATEST, rounds=ROUNDS
    )
    publish(Table("Finding the newest comparison", "s", values), LATEST_FILE)
