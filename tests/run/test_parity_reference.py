"""Which signatures can judge each other, and by which precision's budgets a converted model is judged."""

from __future__ import annotations

import pytest

from backends.contract import TensorSpec
from harness.records.graph import GraphFacts
from harness.run.parity_reference import mismatch, own_precision

IMAGE = TensorSpec("x", "float32", ("batch", 3))
MASK = TensorSpec("m", "int64", ("batch",))


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        ([MASK, IMAGE], ""),  # by name, so the order does not matter
        ([TensorSpec("x", "float16", ("batch", 3)), MASK], ""),
        ([TensorSpec("x", "float32", (1, 3)), MASK], ""),
        ([IMAGE], "it has no input m"),
        ([IMAGE, MASK, TensorSpec("z", "int64", ())], "it has the input z, which the model lacks"),
        ([IMAGE, TensorSpec("m", "int32", ("batch",))], "its input m is int32, the model's int64"),
        ([TensorSpec("x", "float32", ("batch", 4)), MASK], "its input x has the shape ['batch', 4]"),
        ([TensorSpec("x", "float32", (3,)), MASK], "its input x has the shape [3]"),
    ],
)
def test_signatures(theirs: list[TensorSpec], words: str) -> None:
    found = mismatch("input", [IMAGE, MASK], theirs)
    assert found.startswith(words)
    assert bool(found) is bool(words)


@pytest.mark.parametrize(
    ("operators", "dtypes", "precision"),
    [
        ({"Conv": 3}, {"float32": 100, "int64": 5}, ""),
        ({"Conv": 3, "QuantizeLinear": 4}, {"float32": 10, "int8": 100}, "int8"),
        ({"Conv": 3}, {"float16": 100, "float32": 2}, "fp16"),
        ({"Conv": 3}, {"bfloat16": 100}, "bf16"),
        ({"Relu": 1}, {}, ""),
    ],
)
def test_the_precision_of_a_converted_model(
    operators: dict[str, int], dtypes: dict[str, int], precision: str
) -> None:
    assert own_precision(GraphFacts(origin="file", operators=operators, dtypes=dtypes)) == precision
    assert own_precision(None) == ""
