"""The reference of a model that exists only as ONNX: small graphs, each with the right answer by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backends.contract import ModelSource, TensorSpec
from suites.errors import ModelError
from suites.reference import reference
from tests.suites.asking import ask

FLOAT = TensorProto.FLOAT


def save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **more: Any) -> ModelSource:
    opset = more.pop("opset", 18)
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", [])]
    functions = more.pop("functions", [])
    values = [[helper.make_tensor_value_info(*value) for value in side] for side in (inputs, outputs)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", *values, **more), opset_imports=opsets, functions=functions
    )
    onnx.save_model(model, path)
    specs = [
        tuple(
            TensorSpec(name, helper.tensor_dtype_to_np_dtype(kind).name, tuple(shape))
            for name, kind, shape in side
        )
        for side in (inputs, outputs)
    ]
    return ModelSource("by-hand", "0", *specs, onnx_path=path)


THIRD = np.float32(1) / np.float32(3)
X = np.array([1, 2, 3], np.float32) * THIRD


def one_output(tmp_path: Path, nodes: list[Any], **more: Any) -> Any:
    source = save(tmp_path / "m.onnx", nodes, [("x", FLOAT, [3])], [("y", FLOAT, [3])], **more)
    _, outputs = ask(source, "float64", {"x": X})
    assert outputs["y"].dtype == np.float64
    return outputs["y"]


EXACT = X.astype(np.float64)


def test_arithmetic_is_done_in_float64(tmp_path: Path) -> None:
    found = one_output(tmp_path, [helper.make_node("Exp", ["x"], ["y"])])
    assert found == pytest.approx(np.exp(EXACT), rel=1e-15)
    assert not np.array_equal(found, np.exp(X))


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_casts_to_a_lower_precision_do_not_round(tmp_path: Path, kind: int) -> None:
    nodes = [
        helper.make_node("Exp", ["x"], ["h"]),
        helper.make_node("Cast", ["h"], ["low"], to=kind),
        helper.make_node("Cast", ["low"], ["y"], to=FLOAT),
    ]
    assert one_output(tmp_path, nodes) == pytest.approx(np.exp(EXACT), rel=1e-15)


def test_integer_casts_stay(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Cast", ["whole"], ["y"], to=FLOAT),
    ]
    assert list(one_output(tmp_path, nodes)) == [0, 0, 1]


@pytest.mark.parametrize(
    "attribute",
    [
        {"value": numpy_helper.from_array(np.array([THIRD], np.float32))},
        {"value_float": float(THIRD)},
        {"value_floats": [float(THIRD)]},
    ],
    ids=["value", "value_float", "value_floats"],
)
def test_constants_take_part_in_float64(tmp_path: Path, attribute: dict[str, Any]) -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], **attribute),
        helper.make_node("Exp", ["c"], ["e"]),
        helper.make_node("Mul", ["x", "e"], ["y"]),
    ]
    assert one_output(tmp_path, nodes) == pytest.approx(EXACT * math.exp(float(THIRD)), rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_initializers_of_every_precision(tmp_path: Path, dtype: Any) -> None:
    weight = numpy_helper.from_array(np.array([0.5, 0.25, 2], dtype), "w")
    nodes = [
        helper.make_node("Cast", ["w"], ["c"], to=FLOAT),
        helper.make_node("Mul", ["x", "c"], ["y"]),
    ]
    found = one_output(tmp_path, nodes, initializer=[weight])
    assert found == pytest.approx(EXACT * [0.5, 0.25, 2], rel=1e-15)


def test_constant_of_shape_without_a_value(tmp_path: Path) -> None:
    shape = numpy_helper.from_array(np.array([3], np.int64), "s")
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["zero"]),
        helper.make_node("Cos", ["zero"], ["one"]),
        helper.make_node("Mul", ["x", "one"], ["y"]),
    ]
    assert list(one_output(tmp_path, nodes, initializer=[shape])) == list(EXACT)


def test_dtype_attributes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axes"], ["row"]),
        helper.make_node("MatMul", ["column", "row"], ["square"]),
        helper.make_node("EyeLike", ["square"], ["eye"], dtype=FLOAT),
        helper.make_node("MatMul", ["row", "eye"], ["same"]),
        helper.make_node("Squeeze", ["same", "axes"], ["h"]),
        helper.make_node("Exp", ["h"], ["y"]),
    ]
    initializer = [
        numpy_helper.from_array(np.array([0], np.int64), "axes"),
        numpy_helper.from_array(np.ones((3, 1), np.float32), "column"),
    ]
    assert one_output(tmp_path, nodes, initializer=initializer) == pytest.approx(np.exp(EXACT), rel=1e-15)


def test_layer_normalisation(tmp_path: Path) -> None:
    nodes = [helper.make_node("LayerNormalization", ["x", "scale"], ["y"], epsilon=0.0)]
    scale = numpy_helper.from_array(np.ones(3, np.float32), "scale")
    found = one_output(tmp_path, nodes, initializer=[scale])
    assert found == pytest.approx((EXACT - EXACT.mean()) / EXACT.std(), rel=1e-13)


@pytest.mark.parametrize(
    ("operator", "size"),
    [("InstanceNormalization", 100), ("GlobalAveragePool", 1), ("GlobalAveragePool", 50_003)],
)
def test_long_sums_are_exact_in_float64(tmp_path: Path, operator: str, size: int) -> None:
    """Exact against numpy's; see `test_evaluator_sums` for float32."""
    x = np.random.default_rng(0).uniform(0, 1, (2, 3, size, 1)).astype(np.float32)
    more = ["s", "b"] if operator == "InstanceNormalization" else []
    ends = {"epsilon": 2.0**-10} if more else {}
    shape = [2, 3, size if more else 1, 1]
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node(operator, ["x", *more], ["y"], **ends)],
        [("x", FLOAT, [2, 3, size, 1])],
        [("y", FLOAT, shape)],
        initializer=[numpy_helper.from_array(np.array([1, 2, 3], np.float32), n) for n in more],
    )
    wide = x.astype(np.float64)
    mean = wide.mean(axis=(2, 3), keepdims=True)
    right = mean
    if more:
        factors = np.array([1.0, 2, 3]).reshape(1, 3, 1, 1)
        right = (wide - mean) / np.sqrt(wide.var(axis=(2, 3), keepdims=True) + 2.0**-10) * factors + factors
    _, exact = ask(source, "float64", {"x": x})
    assert exact["y"] == pytest.approx(right, rel=1e-12)
    _, plain = ask(source, "float32", {"x": x})
    assert plain["y"] == pytest.approx(right, rel=1e-4)


def test_an_operator_defined_by_others_is_computed_in_float64(tmp_path: Path) -> None:
    """Group normalisation's own definition casts to float32 unless told otherwise."""
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=1, epsilon=0.0)],
        [("x", FLOAT, [1, 2, 3])],
        [("y", FLOAT, [1, 2, 3])],
        initializer=[
            numpy_helper.from_array(np.ones(2, np.float32), "s"),
            numpy_helper.from_array(np.zeros(2, np.float32), "b"),
        ],
        opset=21,
    )
    x = np.random.default_rng(0).standard_normal((1, 2, 3)).astype(np.float32)
    exact = x.astype(np.float64)
    _, outputs = ask(source, "float64", {"x": x})
    assert outputs["y"] == pytest.approx((exact - exact.mean()) / exact.std(), rel=1e-12)


def test_the_error_function_is_computed_in_float64(tmp_path: Path) -> None:
    """The evaluator's own Erf, and so its Gelu, gives float32 values whatever it is given."""
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node("Mish", ["x"], ["h"]), helper.make_node("Gelu", ["h"], ["y"])],
        [("x", FLOAT, [3])],
        [("y", FLOAT, [3])],
        opset=20,
    )
    _, outputs = ask(source, "float64", {"x": X})
    mish = EXACT * np.tanh(np.log1p(np.exp(EXACT)))
    gelu = [0.5 * value * (1 + math.erf(value / math.sqrt(2))) for value in mish]
    assert outputs["y"] == pytest.approx(gelu, rel=1e-14)


@pytest.mark.parametrize(
    "operator",
    [
        "Acos",
        "Asin",
        "Atan",
        "Cos",
        "Sin",
        "Tan",
        "Cosh",
        "Sinh",
        "Tanh",
        "Exp",
        "Log",
        "Sqrt",
        "Reciprocal",
        "Erf",
        "Gelu",
        "Mish",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Softplus",
        "Softsign",
        "Softmax",
        "LogSoftmax",
        "Selu",
        "ReduceMean",
        "ReduceL2",
        "ReduceLogSumExp",
        "LpNormalization",
    ],
)
def test_operators_use_the_digits_of_float64(tmp_path: Path, operator: str) -> None:
    """One that rounded to float32 inside would give values that float32 can hold."""
    found = one_output(tmp_path, [helper.make_node(operator, ["x"], ["y"])], opset=20)
    assert np.all(np.isfinite(found))
    assert np.any(found != found.astype(np.float32))


def test_erf_in_a_function_and_in_a_branch(tmp_path: Path) -> None:
    function = helper.make_function(
        "mine", "F", ["a"], ["b"], [helper.make_node("Erf", ["a"], ["b"])], [helper.make_opsetid("", 18)]
    )
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node("Erf", ["h"], [f"{name}_y"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", FLOAT, [3])],
        )
        for name in ("then", "else")
    }
    nodes = [
        helper.make_node("F", ["x"], ["h"], domain="mine"),
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["c"], to=TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], **branches),
    ]
    found = one_output(tmp_path, nodes, functions=[function], opsets=[helper.make_opsetid("mine", 1)])
    assert found == pytest.approx([math.erf(math.erf(value)) for value in EXACT], rel=1e-15)


def test_windows_are_computed_in_float64(tmp_path: Path) -> None:
    size = numpy_helper.from_array(np.array(3, np.int64), "size")
    nodes = [
        helper.make_node("HammingWindow", ["size"], ["w"], periodic=0),
        helper.make_node("Mul", ["x", "w"], ["y"]),
    ]
    ends = 25 / 46 - 21 / 46
    found = one_output(tmp_path, nodes, initializer=[size])
    assert found == pytest.approx(EXACT * [ends, 1, ends], rel=1e-13)


def test_branches_and_functions_are_converted(tmp_path: Path) -> None:
    def branch(name: str, factor: float) -> Any:
        tensor = numpy_helper.from_array(np.array([factor], np.float32), f"{name}_c")
        nodes = [
            helper.make_node("Cast", ["h"], [f"{name}_h"], to=TensorProto.FLOAT16),
            helper.make_node("Mul", [f"{name}_h", f"{name}_c"], [f"{name}_y"]),
        ]
        return helper.make_graph(
            nodes,
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", FLOAT, [3])],
            initializer=[tensor],
        )

    function = helper.make_function(
        "mine",
        "Exponential",
        ["a"],
        ["b"],
        [
            helper.make_node("Exp", ["a"], ["e"]),
            helper.make_node("Cast", ["e"], ["b"], to=FLOAT),
        ],
        [helper.make_opsetid("", 18)],
    )
    nodes = [
        helper.make_node("Exponential", ["x"], ["h"], domain="mine"),
        helper.make_node("If", ["c"], ["y"], then_branch=branch("yes", 2), else_branch=branch("no", 4)),
    ]
    source = save(
        tmp_path / "m.onnx",
        nodes,
        [("x", FLOAT, [3]), ("c", TensorProto.BOOL, [])],
        [("y", FLOAT, [3])],
        functions=[function],
        opsets=[helper.make_opsetid("mine", 1)],
    )
    for choice, factor in ((True, 2), (False, 4)):
        _, outputs = ask(source, "float64", {"x": X, "c": np.array(choice)})
        assert outputs["y"] == pytest.approx(factor * np.exp(EXACT), rel=1e-15)


def test_integers_stay_integers(tmp_path: Path) -> None:
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node("Gather", ["w", "i"], ["y"]), helper.make_node("Identity", ["i"], ["j"])],
        [("i", TensorProto.INT64, [2])],
        [("y", FLOAT, [2]), ("j", TensorProto.INT64, [2])],
        initializer=[numpy_helper.from_array(np.array([1, 2, 4], np.float32), "w")],
    )
    _, outputs = ask(source, "float64", {"i": np.array([2, 0])})
    assert (list(outputs["y"]), outputs["y"].dtype) == ([4, 1], np.float64)
    assert (list(outputs["j"]), outputs["j"].dtype) == ([2, 0], np.int64)


def test_a_half_precision_model_gets_a_float32_yardstick(tmp_path: Path) -> None:
    half = TensorProto.FLOAT16
    source = save(
        tmp_path / "m.onnx", [helper.make_node("Exp", ["x"], ["y"])], [("x", half, [3])], [("y", half, [3])]
    )
    _, outputs = ask(source, "float32", {"x": X.astype(np.float16)})
    assert outputs["y"].dtype == np.float32
    assert outputs["y"] == pytest.approx(np.exp(X.astype(np.float16).astype(np.float64)), rel=1e-6)


def test_an_operator_that_the_evaluator_lacks_is_named(tmp_path: Path) -> None:
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node("FusedGelu", ["x"], ["y"], domain="com.example")],
        [("x", FLOAT, [3])],
        [("y", FLOAT, [3])],
        opsets=[helper.make_opsetid("com.example", 1)],
    )
    with pytest.raises(ModelError, match=r"evaluator cannot run 'by-hand'.*FusedGelu") as caught:
        ask(source, "float64", {"x": X})
    assert "unknown" in caught.value.hint


def test_an_operator_version_that_the_evaluator_lacks_is_converted(tmp_path: Path) -> None:
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node("DequantizeLinear", ["x", "scale"], ["y"])],
        [("x", TensorProto.INT8, [3])],
        [("y", FLOAT, [3])],
        initializer=[numpy_helper.from_array(np.float32(0.3), "scale")],
        opset=10,
    )
    whole = np.array([1, -7, 127], np.int8)
    answer, outputs = reference({"source": source.to_json(), "dtype": "float64"}, {"x": whole})
    assert answer["note"] == "the model was converted to opset 21 for it"
    assert list(outputs["y"]) == [float(np.float32(0.3)) * int(value) for value in whole]


def test_a_step_in_float32_makes_a_mixed_reference(tmp_path: Path) -> None:
    source = save(
        tmp_path / "m.onnx",
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["h"]),
            helper.make_node("Exp", ["h"], ["y"]),
        ],
        [("x", FLOAT, [3])],
        [("y", FLOAT, [3])],
        opset=21,
    )
    answer, outputs = reference({"source": source.to_json(), "dtype": "float64"}, {"x": X})
    assert answer["strength"] == "mixed"
    assert answer["note"] == "it computes DynamicQuantizeLinear in a lower precision than float64"
    assert answer["precision"] == "int8"
    scale = np.float32(1) / np.float32(255)
    assert outputs["y"] == pytest.approx(np.exp(np.rint(EXACT / scale) * float(scale)), rel=1e-14)


@pytest.mark.parametrize("mode", ["linear", "cubic", "nearest"])
def test_a_grid_is_sampled_in_float64(tmp_path: Path, mode: str) -> None:
    """Against torch's own in float64; the evaluator's rounds places to float32."""
    import torch

    random = np.random.default_rng(0)
    image, grid = (random.uniform(-1, 1, shape).astype(np.float32) for shape in ((1, 2, 5, 4), (1, 3, 6, 2)))
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node("GridSample", ["x", "grid"], ["y"], mode=mode, align_corners=1)],
        [("x", FLOAT, [1, 2, 5, 4]), ("grid", FLOAT, [1, 3, 6, 2])],
        [("y", FLOAT, [1, 2, 3, 6])],
        opset=20,
    )
    _, outputs = ask(source, "float64", {"x": image, "grid": grid})
    wanted = torch.nn.functional.grid_sample(
        torch.from_numpy(image).double(),
        torch.from_numpy(grid).double(),
        mode={"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode),
        align_corners=True,
    )
    assert outputs["y"] == pytest.approx(wanted.numpy(), abs=1e-14)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("size", [(2, 3, 5, 4), (2, 3, 3, 5, 4)])
def test_an_affine_grid_is_in_float64(tmp_path: Path, corners: int, size: tuple[int, ...]) -> None:
    import torch

    axes = len(size) - 2
    theta = np.random.default_rng(0).normal(size=(2, axes, axes + 1)).astype(np.float32)
    shape = [2, *size[2:], axes]
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node("AffineGrid", ["x", "size"], ["y"], align_corners=corners)],
        [("x", FLOAT, list(theta.shape))],
        [("y", FLOAT, shape)],
        initializer=[numpy_helper.from_array(np.array(size, np.int64), "size")],
        opset=20,
    )
    _, outputs = ask(source, "float64", {"x": theta})
    wanted = torch.nn.functional.affine_grid(
        torch.from_numpy(theta).double(), list(size), align_corners=bool(corners)
    )
    assert outputs["y"] == pytest.approx(wanted.numpy(), abs=1e-13)


def test_a_cast_to_float32_inside_an_operator_is_found(tmp_path: Path) -> None:
    """Behind the conversion's back: group normalisation told to compute in float32."""
    from suites.evaluator import evaluate

    double = TensorProto.DOUBLE
    source = save(
        tmp_path / "m.onnx",
        [helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=1, stash_type=FLOAT)],
        [("x", double, [1, 2, 3])],
        [("y", double, [1, 2, 3])],
        initializer=[
            numpy_helper.from_array(np.ones(2), "s"),
            numpy_helper.from_array(np.zeros(2), "b"),
        ],
        opset=21,
    )
    feeds = {"x": np.random.default_rng(0).standard_normal((1, 2, 3))}
    model = onnx.load_model(source.onnx_path)
    with pytest.raises(ModelError, match="computes Cast in float32, not in float64"):
        evaluate(model, "by-hand", ["y"], feeds, exact=True)
    assert evaluate(model, "by-hand", ["y"], feeds, exact=False)[0].shape == (1, 2, 3)
