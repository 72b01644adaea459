"""Operations counted from ONNX graphs, against torch's own counter, closed forms and the catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from suites.errors import ModelError
from suites.work import count
from suites.work_rules import UNCOUNTABLE, UncountableError, has_formula, operations

FLOAT, INT8, UINT8, INT64 = TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT64


def tensor(name: str, shape: Sequence[int | str] | None, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, *shape: int, dtype: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def counted(
    folder: Path,
    nodes: list[Any],
    inputs: list[Any],
    outputs: list[Any],
    shapes: Mapping[str, Sequence[int]],
    weights: Sequence[Any] = (),
    **more: Any,
) -> dict[str, Any]:
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializer=list(weights))
    opsets = [helper.make_opsetid("", more.pop("opset", 18)), *more.pop("opsets", [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, **more)
    onnx.save_model(model, folder / "m.onnx")
    answer, arrays = count({"path": str(folder / "m.onnx"), "shapes": dict(shapes)}, {})
    assert arrays == {}
    assert json.loads(json.dumps(answer)) == answer
    return answer


def exported(folder: Path, module: Any, *examples: Any, dynamic: bool = True) -> tuple[Path, int]:
    """The module as ONNX with a dynamic batch, and torch's own count of its MACs on `examples`."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*examples)
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} if dynamic else {} for _ in examples)
    path = folder / "torch.onnx"
    program = torch.onnx.export(
        module, examples, dynamo=True, dynamic_shapes=shapes, opset_version=18, verbose=False
    )
    program.save(str(path), external_data=False)
    return path, counter.get_total_flops() // 2


def count_file(path: Path, *shapes: Sequence[int]) -> dict[str, Any]:
    model = onnx.load_model(path)
    names = [value.name for value in model.graph.input]
    answer, _ = count({"path": str(path), "shapes": dict(zip(names, shapes, strict=True))}, {})
    return answer


def modules() -> list[Any]:
    from torch import nn

    return [
        pytest.param(nn.Linear(40, 24), (3, 40), id="linear"),
        pytest.param(nn.Linear(40, 24, bias=False), (3, 7, 40), id="linear-3d"),
        pytest.param(nn.Conv2d(6, 12, 3, padding=1), (2, 6, 10, 11), id="conv"),
        pytest.param(nn.Conv2d(6, 12, 3, stride=2, groups=3, dilation=2), (2, 6, 20, 21), id="conv-groups"),
        pytest.param(nn.Conv2d(8, 8, 5, groups=8, padding=2), (2, 8, 9, 9), id="depthwise"),
        pytest.param(nn.Conv1d(4, 6, 3), (2, 4, 30), id="conv1d"),
        pytest.param(nn.Conv3d(2, 4, 3), (2, 2, 6, 7, 8), id="conv3d"),
        pytest.param(nn.ConvTranspose2d(6, 4, 3, stride=2), (2, 6, 7, 8), id="transposed"),
        pytest.param(nn.ConvTranspose2d(6, 4, 4, stride=2, groups=2), (2, 6, 7, 8), id="transposed-groups"),
    ]


@pytest.mark.parametrize(("module", "shape"), modules())
def test_torch_counts_the_same(tmp_path: Path, module: Any, shape: tuple[int, ...]) -> None:
    import torch

    path, macs = exported(tmp_path, module, torch.zeros(shape))
    assert macs > 0
    found = count_file(path, shape)
    assert found["macs"] == macs
    assert found["uncounted"] == {}
    assert count_file(path, (2 * shape[0], *shape[1:]))["macs"] == 2 * macs


def test_torch_counts_attention_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.MultiheadAttention(16, 4, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.inner(x, x, x, need_weights=True)[0]

    x = torch.zeros(2, 5, 16)
    # torch's counter does not see into its fused implementation.
    monkeypatch.setattr(torch.backends.mha, "_is_fastpath_enabled", False)
    path, macs = exported(tmp_path, Attention(), x)
    # Four projections of width 16, and scores and values: 2 · 5 · 5 · 16 each sequence.
    assert macs == 2 * (4 * 5 * 16 * 16 + 2 * 5 * 5 * 16)
    found = count_file(path, (2, 5, 16))
    assert found["macs"] == macs
    assert found["uncounted"] == {}


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_layers(tmp_path: Path, operator: str, gates: int, directions: int) -> None:
    steps, batch, width, hidden = 7, 3, 5, 6
    node = helper.make_node(
        operator,
        ["x", "w", "r"],
        ["y"],
        hidden_size=hidden,
        direction="bidirectional" if directions == 2 else "forward",
    )
    found = counted(
        tmp_path,
        [node],
        [tensor("x", ["t", "n", width])],
        [tensor("y", None)],
        {"x": [steps, batch, width]},
        [constant("w", directions, gates * hidden, width), constant("r", directions, gates * hidden, hidden)],
    )
    assert found["macs"] == steps * batch * directions * gates * hidden * (width + hidden)
    assert found["weights"]["float_elements"] == directions * gates * hidden * (width + hidden)
    assert found["outputs"]["float_elements"] == steps * directions * batch * hidden


def test_an_lstm_of_torch(tmp_path: Path) -> None:
    import torch
    from torch import nn

    lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)
    path, _ = exported(tmp_path, lstm, torch.zeros(3, 7, 5), dynamic=False)
    found = count_file(path, (3, 7, 5))
    assert found["macs"] == 3 * 7 * 4 * 6 * ((5 + 6) + (6 + 6))
    assert found["uncounted"] == {}


def test_the_catalogue_counts_the_same(exported: dict[str, Any]) -> None:
    from suites.catalogue import builtin

    found, _ = count({"path": exported["onnx"], "shapes": {"input": [1, 3, 32, 32]}}, {})
    assert found["macs"] == builtin("tiny-cnn").macs
    twice, _ = count({"path": exported["onnx"], "shapes": {"input": [2, 3, 32, 32]}}, {})
    assert twice["macs"] == 2 * found["macs"]
    assert twice["weights"] == found["weights"]
    assert twice["activations"]["float_elements"] == 2 * found["activations"]["float_elements"]
    assert found["inputs"] == {"float_elements": 3 * 32 * 32, "other_bytes": 0}
    assert found["outputs"] == {"float_elements": 10, "other_bytes": 0}


@pytest.mark.parametrize("kind", ["conv", "matmul", "dynamic"])
def test_products_of_integers(tmp_path: Path, kind: str) -> None:
    scale, zero = constant("s"), numpy_helper.from_array(np.array(0, np.int8), "z")
    if kind == "conv":
        node = helper.make_node("QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z"], ["y"])
        x, macs, weights = [2, 3, 8, 8], 2 * 4 * 6 * 6 * 3 * 3 * 3, constant("w", 4, 3, 3, 3, dtype=np.int8)
    elif kind == "matmul":
        node = helper.make_node("QLinearMatMul", ["x", "s", "z", "w", "s", "z", "s", "z"], ["y"])
        x, macs, weights = [2, 5, 8], 2 * 5 * 8 * 3, constant("w", 8, 3, dtype=np.int8)
    else:
        node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
        x, macs, weights = [5, 8], 5 * 8 * 3, constant("w", 8, 3, dtype=np.int8)
    result = TensorProto.INT32 if kind == "dynamic" else INT8
    found = counted(
        tmp_path,
        [node],
        [tensor("x", x, INT8)],
        [tensor("y", None, result)],
        {"x": x},
        [weights, *([] if kind == "dynamic" else [scale, zero])],
    )
    assert (found["macs"], found["int8_macs"]) == (macs, macs)
    assert found["inputs"] == {"float_elements": 0, "other_bytes": int(np.prod(x))}


def quantised(tmp_path: Path, *, both: bool) -> dict[str, Any]:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["v"]),
        helper.make_node("MatMul", ["d" if both else "x", "v"], ["y"]),
    ]
    zero = numpy_helper.from_array(np.array(0, np.int8), "z")
    weights = [constant("s"), zero, constant("w", 8, 3, dtype=np.int8)]
    return counted(tmp_path, nodes, [tensor("x", [5, 8])], [tensor("y", [5, 3])], {"x": [5, 8]}, weights)


def test_a_product_of_two_dequantised_tensors_is_one_of_integers(tmp_path: Path) -> None:
    found = quantised(tmp_path, both=True)
    assert (found["macs"], found["int8_macs"]) == (120, 120)
    # Scale 4 bytes as one float, zero point and weights one byte each: weights are read as they are stored.
    assert found["weights"] == {"float_elements": 1, "other_bytes": 1 + 24}


def test_weights_alone_in_integers_do_not_make_the_product_one(tmp_path: Path) -> None:
    found = quantised(tmp_path, both=False)
    assert (found["macs"], found["int8_macs"]) == (120, 0)


def test_a_lookup_reads_its_rows_only(tmp_path: Path) -> None:
    found = counted(
        tmp_path,
        [helper.make_node("Gather", ["table", "ids"], ["y"])],
        [tensor("ids", ["n", 4], INT64)],
        [tensor("y", ["n", 4, 16])],
        {"ids": [2, 4]},
        [constant("table", 1000, 16)],
    )
    assert found["weights"] == {"float_elements": 2 * 4 * 16, "other_bytes": 0}
    assert found["inputs"] == {"float_elements": 0, "other_bytes": 2 * 4 * 8}
    assert found["macs"] == 0


def test_weights_count_once_and_every_reader_of_an_activation_counts(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    found = counted(
        tmp_path,
        nodes,
        [tensor("x", ["n", 4])],
        [tensor("y", ["n", 4])],
        {"x": [3, 4]},
        [constant("w", 4, 4)],
    )
    assert found["macs"] == 2 * 3 * 4 * 4
    assert found["plain"] == 12
    assert found["weights"]["float_elements"] == 16
    assert found["activations"]["float_elements"] == 12 * (2 + 2 + 3)
    assert found["by_operator"]["MatMul"] == {
        "nodes": 2,
        "macs": 96,
        "plain": 0,
        "activations": {"float_elements": 48, "other_bytes": 0},
    }


def test_what_follows_from_weights_alone_is_no_work_of_a_call(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["w"], ["v"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "v"], ["y"]),
    ]
    found = counted(
        tmp_path, nodes, [tensor("x", [2, 4])], [tensor("y", [2, 3])], {"x": [2, 4]}, [constant("w", 3, 4)]
    )
    assert set(found["by_operator"]) == {"MatMul"}
    assert found["weights"]["float_elements"] == 12


def test_shapes_computed_in_the_graph_are_followed(tmp_path: Path) -> None:
    """As exporters write it: a batch from Shape, arithmetic on it, and a Reshape to the outcome."""
    two = numpy_helper.from_array(np.array([2], np.int64), "two")
    half = numpy_helper.from_array(np.array([8], np.int64), "half")
    zero = numpy_helper.from_array(np.array([0], np.int64), "zero")
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Mul", ["n", "two"], ["m"]),
        helper.make_node("Concat", ["m", "half"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    found = counted(
        tmp_path,
        nodes,
        [tensor("x", ["n", 16])],
        [tensor("y", ["k", 3])],
        {"x": [5, 16]},
        [two, half, zero, constant("w", 8, 3)],
    )
    assert found["macs"] == 10 * 8 * 3
    assert found["uncounted"] == {}
    assert set(found["by_operator"]) == {"Reshape", "MatMul"}


def test_a_shape_that_depends_on_data_is_listed_and_what_follows_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=FLOAT),
        helper.make_node("MatMul", ["v", "f"], ["y"]),
    ]
    found = counted(
        tmp_path, nodes, [tensor("x", [4, 4])], [tensor("y", None)], {"x": [4, 4]}, [constant("v", 3, 2)]
    )
    assert found["macs"] == 0
    assert found["uncounted"] == {"Cast": 1, "MatMul": 1, "NonZero": 1}
    assert "data" in found["uncounted_why"]["NonZero"]
    assert "shape" in found["uncounted_why"]["MatMul"]


def test_a_foreign_operator_is_listed_and_the_rest_counted(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("FusedThing", ["x"], ["h"], domain="com.example"),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    found = counted(
        tmp_path,
        nodes,
        [tensor("x", [2, 4])],
        [tensor("y", [2, 3]), tensor("h", [2, 4])],
        {"x": [2, 4]},
        [constant("w", 4, 3)],
        opsets=[helper.make_opsetid("com.example", 1)],
    )
    assert found["macs"] == 24
    assert found["uncounted"] == {"com.example:FusedThing": 1}


def test_a_loop_is_listed(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("MatMul", ["a", "a"], ["b"])],
        "body",
        [tensor("i", [], INT64), tensor("c", [], TensorProto.BOOL), tensor("a", [4, 4])],
        [tensor("d", [], TensorProto.BOOL), tensor("b", [4, 4])],
    )
    found = counted(
        tmp_path,
        [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
        [tensor("n", [], INT64), tensor("x", [4, 4])],
        [tensor("y", [4, 4])],
        {"n": [], "x": [4, 4]},
    )
    assert found["uncounted"] == {"Loop": 1}
    assert found["macs"] == 0


def test_functions_are_counted_inside(tmp_path: Path) -> None:
    function = helper.make_function(
        "local",
        "Twice",
        ["a", "b"],
        ["c"],
        [helper.make_node("MatMul", ["a", "b"], ["t"]), helper.make_node("MatMul", ["t", "b"], ["c"])],
        [helper.make_opsetid("", 18)],
    )
    found = counted(
        tmp_path,
        [helper.make_node("Twice", ["x", "w"], ["y"], domain="local")],
        [tensor("x", [2, 4])],
        [tensor("y", [2, 4])],
        {"x": [2, 4]},
        [constant("w", 4, 4)],
        opsets=[helper.make_opsetid("local", 1)],
        functions=[function],
    )
    assert found["macs"] == 64


@pytest.mark.parametrize(
    ("operator", "attributes", "inputs", "outputs", "macs"),
    [
        ("Gemm", {"transA": 1}, [(8, 5), (8, 3)], [(5, 3)], 120),
        ("Gemm", {"transB": 1}, [(5, 8), (3, 8), (3,)], [(5, 3)], 120),
        ("MatMul", {}, [(2, 7, 5, 8), (7, 8, 3)], [(2, 7, 5, 3)], 2 * 7 * 120),
        ("MatMul", {}, [(8,), (8, 3)], [(3,)], 24),
        ("Einsum", {"equation": b"bij, bjk -> bik"}, [(2, 5, 8), (2, 8, 3)], [(2, 5, 3)], 240),
        ("Einsum", {"equation": b"ij->ji"}, [(5, 8)], [(8, 5)], 0),
        ("Attention", {}, [(2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 6)], [(2, 4, 5, 6)], 2 * 4 * 5 * 7 * 14),
        (
            "Attention",
            {"q_num_heads": 4, "kv_num_heads": 2},
            [(2, 5, 32), (2, 7, 16), (2, 7, 12)],
            [(2, 5, 24)],
            2 * 4 * 5 * 7 * 14,
        ),
        (
            "Attention",
            {},
            [(1, 4, 1, 8), (1, 4, 1, 8), (1, 4, 1, 8), None, (1, 4, 9, 8), (1, 4, 9, 8)],
            [(1, 4, 1, 8)],
            4 * 10 * 16,
        ),
    ],
)
def test_closed_forms(
    operator: str, attributes: dict[str, Any], inputs: list[Any], outputs: list[Any], macs: int
) -> None:
    assert operations(operator, attributes, inputs, outputs).macs == macs


@pytest.mark.parametrize(
    ("operator", "attributes", "inputs", "outputs", "plain"),
    [
        ("Relu", {}, [(2, 3)], [(2, 3)], 6),
        ("Softmax", {}, [(2, 3)], [(2, 3)], 6),
        ("ReduceMean", {}, [(2, 3, 4)], [(2, 1, 1)], 24),
        ("MaxPool", {"kernel_shape": [3, 3]}, [(1, 1, 8, 8)], [(1, 1, 6, 6)], 36 * 9),
        ("Transpose", {}, [(2, 3)], [(3, 2)], 0),
    ],
)
def test_plain_operations(
    operator: str, attributes: dict[str, Any], inputs: list[Any], outputs: list[Any], plain: int
) -> None:
    found = operations(operator, attributes, inputs, outputs)
    assert (found.macs, found.plain) == (0, plain)


@pytest.mark.parametrize("operator", ["Einsum", "Loop", "NoSuchOperator"])
def test_what_is_not_known_is_never_guessed(operator: str) -> None:
    with pytest.raises(UncountableError):
        operations(operator, {"equation": b"a,b,c->abc"}, [(2,), (3,), (4,)], [(2, 3, 4)])


def test_every_standard_operator_has_a_formula_or_a_reason() -> None:
    standard = {
        schema.name for schema in onnx.defs.get_all_schemas_with_history() if schema.domain in ("", "ai.onnx")
    }
    assert standard - set(UNCOUNTABLE) - {name for name in standard if has_formula(name)} == set()
    assert not {name for name in UNCOUNTABLE if has_formula(name)}


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"m\.onnx"):
        count({"path": str(tmp_path / "m.onnx"), "shapes": {}}, {})
