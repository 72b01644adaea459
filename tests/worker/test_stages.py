"""The stage pass of the worker, on the fake engine that takes the time it is told to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from backends.conformance.models import MODELS
from backends.contract import Variant
from backends.fake_engine import FakeBackend
from harness.worker.processing import Item, Processing, load_processing
from harness.worker.stages import STAGES, StagedCall, time_stages, time_transfers

MODEL = MODELS["mlp"]
NS = 30_000_000


class Pipeline:
    """Turns items into the model's feeds; item b"bad" cannot be, and the answer can be spoilt."""

    def __init__(self, answer: object = ("cat",)) -> None:
        self.implementation = {"preprocess": "test 1.0", "postprocess": "test 2.0"}
        self.answer = answer
        self.seen: list[bytes] = []

    def preprocess(self, items: Sequence[bytes]) -> Mapping[str, Any] | None:
        self.seen += items
        if items[0] == b"bad":
            raise ValueError("no picture in it")
        return None if items[0] == b"nothing" else MODEL.feeds(int(items[0]), batch=1)

    def postprocess(self, outputs: Mapping[str, Any]) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def session(tmp_path: Path):
    backend = FakeBackend()
    source = MODEL.source(tmp_path)
    variant = Variant(options={"time_us": "2000", "upload_us": "1000", "download_us": "500"})
    session = backend.load(source, backend.build(source, variant, tmp_path), variant)
    session.prepare(MODEL.feeds(0, batch=1))
    yield session
    session.close()


def call(session: Any, processing: Processing | None) -> StagedCall:
    none = "the model has no such step"
    problems = {} if processing else {"preprocess": none, "postprocess": none}
    return StagedCall(session, MODEL.feeds(0, batch=1), processing, problems)


def items(*contents: bytes) -> list[Item]:
    return [Item(f"{place}.bin", content) for place, content in enumerate(contents)]


def test_each_stage_takes_what_the_engine_takes_and_they_add_up(session: Any) -> None:
    found = time_stages(call(session, Processing(Pipeline(), items(b"1", b"2"))), NS)
    assert min(found["split"]["upload"]) >= 1_000_000
    assert min(found["split"]["infer"]) >= 2_000_000
    assert min(found["split"]["download"]) >= 500_000
    assert min(found["end_to_end"]) >= 3_500_000
    assert len(found["end_to_end"]) == len(found["split"]["infer"]) >= 2
    assert set(found["split"]) == set(STAGES)
    assert found["problems"] == {}


def test_a_model_without_processing_has_three_stages(session: Any) -> None:
    found = time_stages(call(session, None), NS)
    assert set(found["problems"]) == {"preprocess", "postprocess"}
    assert median(found["split"]["preprocess"]) < 1_000_000


def test_device_time_is_the_devices_own(session: Any) -> None:
    found = time_stages(call(session, None), NS)
    assert set(found["device"]["upload"]) == {1_000_000}
    assert set(found["device"]["infer"]) == {2_000_000}


def test_a_bad_item_is_left_out_and_named(session: Any) -> None:
    pipeline = Pipeline()
    processing = Processing(pipeline, items(b"1", b"bad", b"nothing", b"2"))
    found = time_stages(call(session, processing), NS)
    assert [item.name for item in processing.items] == ["0.bin", "3.bin"]
    assert "1.bin: ValueError: no picture in it" in processing.dropped[0]
    assert "2.bin: ValueError: it returned nothing" in processing.dropped[1]
    assert found["problems"] == {}
    assert b"bad" not in pipeline.seen[4:]


def test_when_no_item_is_left_the_rest_is_timed_all_the_same(session: Any) -> None:
    found = time_stages(call(session, Processing(Pipeline(), items(b"bad"))), NS)
    assert "no picture in it" in found["problems"]["preprocess"]
    assert "preprocess failed" in found["problems"]["postprocess"]
    assert min(found["split"]["infer"]) >= 2_000_000


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "returned nothing"), ([], "returned nothing"), (RuntimeError("no boxes"), "no boxes")],
)
def test_postprocessing_that_gives_nothing_is_no_stage(session: Any, answer: object, words: str) -> None:
    found = time_stages(call(session, Processing(Pipeline(answer), items(b"1"))), NS)
    assert words in found["problems"]["postprocess"]
    assert "preprocess" not in found["problems"]


def test_items_are_taken_in_turn_and_fill_the_batch() -> None:
    pipeline = Pipeline()
    processing = Processing(pipeline, items(b"1", b"2", b"3"), batch=2)
    for _ in range(3):
        processing.preprocess()
    assert pipeline.seen == [b"1", b"2", b"3", b"1", b"2", b"3"]


def test_every_way_of_carrying_is_timed_alone(session: Any) -> None:
    feeds = MODEL.feeds(0, batch=1)
    found = {(entry["direction"], entry["path"]): entry for entry in time_transfers(session, feeds, NS)}
    assert set(found) == {(d, p) for d in ("upload", "download") for p in ("zero_copy", "copy")}
    up = found[("upload", "copy")]
    assert up["bytes"] == sum(array.nbytes for array in feeds.values())
    assert min(up["samples"]) / up["calls"] >= 1_000_000
    down = found[("download", "copy")]
    assert down["bytes"] == sum(array.nbytes for array in session.download().values())
    assert set(down["device"]) == {500_000}


def test_a_pipeline_is_loaded_by_name_with_the_files_it_is_fed(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_bytes(b"1")
    asked = {
        "factory": "tests.worker.test_stages:make",
        "implementation": "plain",
        "items": [str(tmp_path / "one.txt")],
    }
    processing = load_processing(asked, (), (), {}, 1)
    assert processing.implementation == {"preprocess": "plain"}
    assert processing.items == [Item("one.txt", b"1")]


def make(implementation: str, inputs: object, outputs: object, dims: object) -> Pipeline:
    pipeline = Pipeline()
    pipeline.implementation = {"preprocess": implementation}
    return pipeline


def test_after_a_stage_pass_the_inputs_that_were_bound_can_be_bound_again(session: Any) -> None:
    time_stages(call(session, Processing(Pipeline(), items(b"3"))), NS)
    session.prepare(MODEL.feeds(0, batch=1))
    session.timed_call()()
    first = session.download()
    session.prepare(MODEL.feeds(0, batch=1))
    session.timed_call()()
    assert all(np.array_equal(first[name], value) for name, value in session.download().items())
