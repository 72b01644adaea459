"""Counting subnormal numbers: against the definition, in every type, and in the weights of a real ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.run.jobs import run_job
from suites.subnormals import JOB, Subnormals, count, count_all


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_borders_of_the_definition(dtype: str) -> None:
    info = np.finfo(dtype)
    tiny, least = info.tiny, info.smallest_subnormal
    below = np.nextafter(tiny, np.array(0, dtype))
    values = [0.0, -0.0, tiny, -tiny, 1.0, np.inf, -np.inf, np.nan, info.max, least, -least, below, -below]
    assert count(np.array(values, dtype=dtype)) == Subnormals(4, len(values))


def test_bfloat16() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array([1e-40, -1e-39, 1e-37, 0.0, 1.0], dtype=ml_dtypes.bfloat16)
    assert count(values) == Subnormals(2, 5)


@pytest.mark.parametrize("array", [np.arange(5), np.array([True]), np.empty((0, 3), np.float32)])
def test_what_holds_none(array: np.ndarray) -> None:
    assert count(array).subnormal == 0
    assert count(array).total == 0


def test_any_shape_and_layout() -> None:
    array = np.zeros((4, 6), np.float32)
    array[1::2, ::3] = 1e-40
    assert count(array[:, ::3]) == Subnormals(4, 8)
    assert count(array.T) == Subnormals(4, 24)
    assert count(np.float32(1e-40).reshape(())) == Subnormals(1, 1)
    assert count_all({"a": array, "b": np.arange(3)}) == Subnormals(4, 24)
    assert count_all([array, array]) == Subnormals(8, 48)


def test_against_a_plain_comparison_on_random_bits() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint64).astype(np.uint32)
    bits[:50_000] &= np.uint32(0x80FF_FFFF)  # a good part with the smallest exponents
    values = bits.view(np.float32)
    with np.errstate(invalid="ignore"):
        wide = np.abs(values.astype(np.float64))
    assert count(values).subnormal == int(np.count_nonzero((wide > 0) & (wide < 2.0**-126))) > 10_000


def test_the_job_counts_in_weights_constants_and_subgraphs(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def tensor(name: str, values: list[float]) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(values, np.float32), name)

    def branch(name: str, values: list[float]) -> onnx.GraphProto:
        node = helper.make_node("Constant", [], [name], value=tensor("", values))
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, 1, [2])])

    graph = helper.make_graph(
        [
            helper.make_node(
                "If", ["c"], ["y"], then_branch=branch("t", [1e-40, 1]), else_branch=branch("e", [1, 2])
            ),
            helper.make_node("Add", ["y", "w"], ["z"]),
        ],
        "g",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])],
        [tensor("w", [1e-39, -1e-44]), numpy_helper.from_array(np.arange(7), "unused")],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph), path)
    answer, arrays = run_job(JOB, {"path": str(path)}, deadline_s=120, phase="weights")
    assert answer == {"subnormal": 3, "total": 6, "skipped": 0}
    assert arrays == {}
