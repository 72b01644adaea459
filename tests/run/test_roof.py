"""What results are placed under: counted work and kept ceilings, and reasons where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.conformance.models import MODELS
from harness.judge.roofline import ceiling_share
from harness.judge.summary import summarise
from harness.plan.contender import parse_contenders
from harness.records import Settings, VariantRef
from harness.run.ceilings import NOT_YET
from harness.run.models import ReadyModel
from harness.run.observer import Silent
from harness.run.references import References
from harness.run.roof import roof_of
from harness.run.subnormals import subnormal_weights
from tests.factories import make_model, make_result

SHORT = Settings(budget_s=1.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path) -> ReadyModel:
    return ReadyModel(make_model(), MODELS["mlp"].source(tmp_path), {}, {}, References())


def roof(model: ReadyModel, *contenders: str):
    return roof_of(model, parse_contenders(contenders), VariantRef(), SHORT, Silent())


def test_a_short_comparison_counts_the_work_and_measures_no_ceiling(model: ReadyModel) -> None:
    found = roof(model, "ort", "openvino@bf16", "fake")
    assert found.work is not None and found.work.macs > 0
    assert set(found.by_contender) == {"ort", "openvino@bf16"}
    assert found.by_contender["ort"].missing == {"memory": NOT_YET, "fp32": NOT_YET}
    assert found.by_contender["openvino@bf16"].missing == {"memory": NOT_YET, "bf16": NOT_YET}
    result = make_result("ort", work=found.work, ceilings=found.by_contender["ort"])
    share = summarise(result).ceiling_share
    assert share.value is None and share.reason == NOT_YET


def test_the_pretender_has_no_place_under_a_roof(model: ReadyModel) -> None:
    found = roof(model, "fake")
    assert found.work is None and "computes nothing" in found.problem
    result = make_result("fake", work_problem=found.problem)
    assert ceiling_share(result, summarise(result).p50).reason == found.problem


def test_a_device_whose_ceilings_nobody_measured_is_said_so(model: ReadyModel) -> None:
    found = roof(model, "openvino:npu")
    assert found.by_contender == {}
    result = make_result("openvino", work=found.work)
    assert "ceilings of its device" in summarise(result).ceiling_share.reason


def test_a_model_without_a_graph_has_a_reason(model: ReadyModel) -> None:
    from dataclasses import replace

    torch_only = replace(model, source=replace(model.source, onnx_path=None, torch_factory="a:b"))
    assert "no ONNX file" in roof(torch_only, "torch").problem
    assert "no ONNX file" in subnormal_weights(torch_only.source).reason


def test_subnormal_weights_are_counted_once_and_kept(model: ReadyModel) -> None:
    first = subnormal_weights(model.source)
    assert first.subnormal == 0 and first.total > 0
    path = model.source.onnx_path
    assert path is not None
    path.unlink()
    assert subnormal_weights(model.source) == first
