"""Operators that the evaluator of `onnx` lacks or computes less well, against torch or by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from suites.evaluator import evaluate

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.engine("torch")


def computed(operator: str, *arrays: Any, **attributes: Any) -> Any:
    """`operator` on `arrays`; None leaves an input out."""
    feeds = {f"x{place}": array for place, array in enumerate(arrays) if array is not None}
    names = [f"x{place}" if array is not None else "" for place, array in enumerate(arrays)]
    codes = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in feeds.items()}
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info(name, code, None) for name, code in codes.items()],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return evaluate(model, "g", ["y"], feeds, exact=True)[0]


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_elements_are_gathered_from_axes_of_any_length(axis: int) -> None:
    random = np.random.default_rng(0)
    data = random.normal(size=(100, 90, 80))
    places = random.integers(0, 80, (30, 20, 10))
    wanted = torch.gather(torch.from_numpy(data), axis, torch.from_numpy(places)).numpy()
    assert np.array_equal(computed("GatherElements", data, places, axis=axis), wanted)
    beyond = data.shape[axis]
    assert np.array_equal(computed("GatherElements", data, places - beyond, axis=axis), wanted)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_boxes_are_selected_by_limits_of_either_shape(shape: tuple[int, ...]) -> None:
    boxes = np.array([[[0.0, 0, 1, 1], [0, 0.01, 1, 1.01], [0, 5, 1, 6], [0, 9, 1, 10]]])
    scores = np.array([[[0.9, 0.8, 0.7, 0.1]]])
    most, overlap, lowest = (np.full(shape, value) for value in (np.int64(3), 0.5, 0.2))
    found = computed("NonMaxSuppression", boxes, scores, most, overlap, lowest)
    assert found.tolist() == [[0, 0, 0], [0, 0, 2]]
    assert computed("NonMaxSuppression", boxes, scores).shape == (0, 3)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_the_logarithm_of_a_softmax_is_finite(axis: int) -> None:
    x = np.random.default_rng(0).normal(scale=2000.0, size=(3, 4, 5))
    found = computed("LogSoftmax", x, axis=axis)
    assert np.isfinite(found).all()
    assert found == pytest.approx(torch.log_softmax(torch.from_numpy(x), axis).numpy(), rel=1e-14)
