"""Healthy models on healthy engines: no alarm on any kind of inputs, in any precision that the engines run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from backends.conformance.models import MODELS as KIT
from backends.contract import Array, ModelSource, Variant
from harness.judge.parity import judge_output
from suites.catalogue import builtin
from suites.export import export
from suites.inputs import make_inputs
from suites.reference import reference
from tests.faults.battery import healthy
from tests.faults.models import BATCH, MODELS, RANGES
from tests.faults.running import SETS, engine, run, source_of

BUILTIN = ("tiny-cnn", "tiny-encoder", "tiny-detector", "digits-cnn")
CONTENDERS = (
    ("torch", "fp32"),
    ("torch", "bf16"),
    ("ort", "fp32"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
)


class Judged:
    """A model with its inputs of every kind, and what is right for each."""

    def __init__(self, name: str, folder: Path) -> None:
        self.dims: Mapping[str, int] = {}
        ranges: Mapping[str, tuple[int, int]] = RANGES
        if name in MODELS:
            self.source = source_of(healthy(name), folder, name)
        elif name in KIT:
            self.source = KIT[name].source(folder)
            self.dims, ranges = KIT[name].dims, {"tokens": (0, 32)}
        else:
            found = builtin(name)
            self.source = found.source(export({"name": name}, {})[0])
            self.dims, ranges = found.dims, found.value_range
        self.feeds = {kind: make_inputs(self.source.inputs, kind, BATCH, self.dims, ranges) for kind in SETS}
        self.right = {kind: _right(self.source, feeds, "float64") for kind, feeds in self.feeds.items()}
        self.yardstick = {kind: _right(self.source, feeds, "float32") for kind, feeds in self.feeds.items()}


def _right(source: ModelSource, feeds: Mapping[str, Array], dtype: str) -> dict[str, Array]:
    return reference({"source": source.to_json(), "dtype": dtype, "threads": 1}, dict(feeds))[1]


@pytest.fixture(scope="module", params=[*MODELS, *KIT, *BUILTIN])
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return Judged(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.engine("torch")
@pytest.mark.engine("ort")
@pytest.mark.engine("openvino")
@pytest.mark.parametrize(("name", "precision"), CONTENDERS, ids=lambda value: value)
def test_no_alarm(judged: Judged, name: str, precision: str, tmp_path: Path) -> None:
    if name == "torch" and judged.source.torch_factory is None:
        pytest.skip("the model exists as ONNX only")
    backend = engine(name)
    variant = Variant(precision=precision, batch=BATCH, threads=1, dims=judged.dims)
    session = backend.load(judged.source, backend.build(judged.source, variant, tmp_path), variant)
    alarms = []
    for kind, feeds in judged.feeds.items():
        outputs = run(session, feeds)
        for output, right in judged.right[kind].items():
            yardstick = judged.yardstick[kind][output]
            told = judge_output(output, kind, outputs[output], right, yardstick, precision)
            if told.status != "pass":
                alarms.append((kind, output, told.status, told.reason))
    session.close()
    assert alarms == []
