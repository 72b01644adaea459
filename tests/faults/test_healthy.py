"""Healthy models on healthy engines: no alarm on any kind of inputs, in any precision that the engines run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from backends.conformance.models import MODELS as KIT
from backends.contract import Variant
from harness.judge.parity import judge_outputs
from suites.catalogue import builtin
from suites.export import export
from suites.inputs import make_inputs
from tests.faults.battery import healthy
from tests.faults.models import BATCH, MODELS, RANGES
from tests.faults.running import SETS, engine, references_of, run, source_of

BUILTIN = ("tiny-encoder", "tiny-detector")
PRECISIONS = ("fp32", "bf16")
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
        self.references = references_of(self.source, self.feeds, PRECISIONS)


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
    outputs = {kind: run(session, feeds) for kind, feeds in judged.feeds.items()}
    session.close()
    told = judge_outputs(judged.source.outputs, outputs, judged.references, precision, detail="none")
    assert len(told) == len(SETS) * len(judged.source.outputs)
    assert [one for one in told if one.status != "pass"] == []
