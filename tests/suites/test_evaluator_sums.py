"""Long sums of the evaluator in float32: plain, as engines add, and not pairwise; in float64 they are numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from suites.evaluator import evaluate
from suites.evaluator_sums import LANES, SUMMING, adding_in

LONG = 60_000
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Softmax": {"axis": 1},
    "LogSoftmax": {"axis": 1},
    "LpNormalization": {"axis": 1, "p": 1},
    "LayerNormalization": {"axis": 1},
    "RMSNormalization": {"axis": 1},
}
ONES = frozenset({"LayerNormalization", "RMSNormalization"})


def computed(operator: str, x: Any, lanes: int | None = LANES, opset: int = 23) -> Any:
    """`operator` over the second axis of `x`, in the precision of `x` and so many `lanes`."""
    attributes = dict(ATTRIBUTES.get(operator, {"keepdims": 0}))
    if operator.startswith("Reduce") and opset < 18 and operator != "ReduceSum":
        attributes["axes"] = [1]
        feeds = {"x": x}
    elif operator == "InstanceNormalization":
        ones = np.ones(x.shape[1], x.dtype)
        attributes, feeds = {}, {"x": x, "scale": ones, "bias": ones}
    elif operator == "GlobalAveragePool":
        attributes, feeds = {}, {"x": x}
    elif operator in ONES:
        feeds = {"x": x, "more": np.ones(x.shape[1], x.dtype)}
    else:
        feeds = {"x": x} if operator in ATTRIBUTES else {"x": x, "more": np.array([1])}
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    codes = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in feeds.items()}
    values = [helper.make_tensor_value_info(name, code, None) for name, code in codes.items()]
    if operator in ONES:
        attributes["stash_type"] = TensorProto.FLOAT
    node = helper.make_node(operator, list(feeds), ["y"], **attributes)
    graph = helper.make_graph([node], "g", values, [helper.make_tensor_value_info("y", kind, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    exact = x.dtype == np.float64
    with adding_in(lanes):
        return evaluate(model, "g", ["y"], feeds, exact=exact)[0]


def error(found: Any, right: Any) -> float:
    assert found.shape == right.shape
    return float(np.sqrt(np.mean((found.astype(np.float64) - right) ** 2) / np.mean(right**2)))


@pytest.mark.parametrize("operator", sorted(SUMMING))
def test_an_engine_with_one_lane_has_the_error_of_a_running_sum(operator: str) -> None:
    """Numbers of one size: the roundings of a sum go the same way, so that fewer lanes have a larger error."""
    x = np.random.default_rng(0).uniform(1.0, 1.001, (4, LONG)).astype(np.float32)
    right = computed(operator, x.astype(np.float64))
    one, four, sixteen = (error(computed(operator, x, lanes), right) for lanes in (1, 4, LANES))
    assert type(computed(operator, x)) is np.ndarray
    assert error(computed(operator, x, None), right) <= sixteen
    assert one > 1.5 * sixteen or operator.startswith(
        ("ReduceLog", "LogS")
    )  # a logarithm hides a small share
    assert one >= four * 0.5 and one < LONG * 2.0**-24 * (2000 if operator == "LayerNormalization" else 1)


@pytest.mark.parametrize("operator", ["GlobalAveragePool", "InstanceNormalization"])
def test_averages_of_pictures_are_added_up_alike(operator: str) -> None:
    x = np.random.default_rng(0).uniform(1.0, 1.001, (1, 4, LONG)).astype(np.float32)
    right = computed(operator, x.astype(np.float64))
    one, sixteen, pairwise = (error(computed(operator, x, lanes), right) for lanes in (1, LANES, None))
    assert one > 1.5 * sixteen > 1.5 * pairwise


@pytest.mark.parametrize("opset", [13, 18])
def test_older_operators_are_added_up_alike(opset: int) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (3, LONG)).astype(np.float32)
    for operator in ("ReduceMean", "ReduceSum"):
        assert np.array_equal(computed(operator, x, opset=opset), computed(operator, x))


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1, 2), (-1, 0)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_over_any_axes(axis: Any, keepdims: bool) -> None:
    from suites.evaluator_sums import _Plain

    x = np.random.default_rng(0).uniform(0, 1, (3, 70, 5)).astype(np.float32)
    wide = x.astype(np.float64)
    for function in (np.sum, np.mean):
        made = function(x.view(_Plain), axis=axis, keepdims=keepdims)
        right = np.asarray(function(wide, axis=axis, keepdims=keepdims))
        assert made.dtype == np.float32 and made.shape == right.shape
        assert np.asarray(made) == pytest.approx(right, rel=1e-5)


def test_integers_and_empty_arrays_are_numpys() -> None:
    from suites.evaluator_sums import _Plain

    assert int(np.sum(np.arange(5).view(_Plain))) == 10
    assert np.sum(np.zeros((2, 0), np.float32).view(_Plain), axis=1).tolist() == [0, 0]
