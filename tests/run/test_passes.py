"""A stage pass that breaks in the middle leaves a reason; one that takes the worker along is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.conformance.models import MODELS
from harness.plan.contender import parse_contenders
from harness.records import Settings, VariantRef
from harness.run.models import Processing
from harness.run.opening import give_feeds, open_engine
from harness.run.passes import stage_pass
from harness.run.worker import Worker, WorkerFailure

MODEL = MODELS["mlp"]
SETTINGS = Settings(budget_s=2.0)
PIPELINE = """
import os
from backends.conformance.models import MODELS

class Tiring:
    implementation = {}
    calls = 0
    def preprocess(self, items):
        self.calls += 1
        if self.calls > 3:
            %s
        return MODELS["mlp"].feeds(0, batch=1)
    def postprocess(self, outputs):
        return ["an answer"]

def make(implementation, inputs, outputs, dims):
    return Tiring()
"""


def passed(folder: Path, monkeypatch: pytest.MonkeyPatch, breaks: str):
    (folder / "tiring.py").write_text(PIPELINE % breaks)
    (folder / "item.txt").write_text("an item")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (ref,) = parse_contenders(["fake"])
    with Worker("fake") as worker:
        open_engine(worker, ref, VariantRef(), MODEL.source(folder), 60.0)
        built = worker.request("build", {"folder": str(folder)}, deadline_s=60.0)
        worker.request("load", {"artefact": built.head["artefact"]}, deadline_s=60.0)
        give_feeds(worker, "one", MODEL.feeds(0, batch=1), 60.0)
        processing = Processing("tiring", "tiring:make", "", (folder / "item.txt",))
        found = stage_pass(worker, "one", processing, {}, SETTINGS)
        # The worker lives on and its session answers.
        worker.request("effective", deadline_s=60.0)
        return found


def test_an_error_in_the_middle_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = passed(tmp_path, monkeypatch, 'raise ValueError("no more pictures")')
    assert found.pipeline == "tiring"
    assert {entry.reason for entry in found.stages} == {"no more pictures"}
    assert not found.end_to_end_ns


def test_a_worker_that_dies_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkerFailure) as caught:
        passed(tmp_path, monkeypatch, "os.abort()")
    assert caught.value.status == "crashed"
