"""Types that numpy lacks: names, packing, and the engines' own words for what they lack."""

from __future__ import annotations

import numpy as np
import pytest

from backends import ort_tensors
from backends.dtypes import BITS, ONNX_NUMBERS, dtype_of, pack, unpack
from backends.lacking import openvino_lacks, ort_lacks
from backends.openvino_tensors import match_ports
from harness.worker import tensors


@pytest.mark.parametrize("name", ONNX_NUMBERS)
def test_names_and_numbers_are_those_of_onnx(name):
    import onnx

    assert np.dtype(onnx.helper.tensor_dtype_to_np_dtype(ONNX_NUMBERS[name])) == dtype_of(name)
    assert dtype_of(name).name == name


def test_other_names_are_numpys():
    assert dtype_of("float32") == np.float32
    with pytest.raises(TypeError):
        dtype_of("float7")


@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3, 5), (0, 4)])
def test_packing_and_back_gives_the_same(name, shape):
    bits = BITS[name]
    codes = np.arange(int(np.prod(shape)), dtype=np.uint8).reshape(shape) % (1 << bits)
    array = unpack(pack_codes(codes, bits), name, shape)
    assert array.shape == shape and array.dtype == dtype_of(name)
    again = unpack(pack(array), name, shape)
    assert np.array_equal(again.astype(np.float32), array.astype(np.float32))
    assert pack(array).size == -(-array.size * bits // 8)


@pytest.mark.parametrize("name", BITS)
def test_packing_is_that_of_onnx(name):
    import onnx

    values = np.array([1, 0, -1, 1, -2], np.float32)
    values = np.abs(values) if name.startswith("u") else values
    array = values.astype(dtype_of(name))
    theirs = onnx.helper.make_tensor("t", ONNX_NUMBERS[name], [5], pack(array).tobytes(), raw=True)
    assert np.array_equal(onnx.numpy_helper.to_array(theirs).astype(np.float32), array.astype(np.float32))


def pack_codes(codes, bits):
    """By hand, bit by bit."""
    stream = [(int(code) >> bit) & 1 for code in codes.reshape(-1) for bit in range(bits)]
    stream += [0] * (-len(stream) % 8)
    data = [
        sum(bit << place for place, bit in enumerate(stream[i : i + 8])) for i in range(0, len(stream), 8)
    ]
    return np.array(data, dtype=np.uint8)


@pytest.mark.parametrize("name", ONNX_NUMBERS)
def test_arrays_of_these_types_go_through_shared_memory(name):
    array = np.array([[1.0, 0.5, 2.0]]).astype(dtype_of(name))
    found = tensors.unpack(*tensors.pack({"x": array, "plain": np.arange(3, dtype=">i4")}))
    assert found["x"].dtype == array.dtype and found["x"].shape == (1, 3)
    assert np.array_equal(found["x"].view(np.uint8), array.view(np.uint8))
    assert found["plain"].dtype == np.dtype(">i4")


@pytest.mark.parametrize("name", [name for name in ONNX_NUMBERS if not name.endswith(("e8m0fnu", "int2"))])
def test_onnx_runtime_takes_and_gives_them_back(name):
    import onnxruntime

    array = np.array([[1.0, 0.0, 2.0, 1.0, 3.0]]).astype(dtype_of(name))
    value = ort_tensors.value_of(onnxruntime, array)
    spec = type("Spec", (), {"dtype": name, "name": "x"})
    assert np.array_equal(ort_tensors.view(value, spec).astype(np.float32), array.astype(np.float32))


NOT_KNOWN = "[ONNXRuntimeError] : 1 : FAIL : Type Error: Type parameter (T) bound to different types"


@pytest.mark.parametrize(
    ("kind", "message", "lacks"),
    [
        ("NotImplemented", "[..] : 9 : NOT_IMPLEMENTED : Could not find an implementation for Add(6)", True),
        ("Fail", "Load model from /m.onnx failed: Unsupported model IR version: 14, max supported 13", True),
        ("Fail", "Load model failed:Fatal error: a.b:Adam(-1) is not a registered function/op", True),
        (
            "InvalidGraph",
            "This is an invalid model. Type 'tensor(int4)' of input parameter (x) is invalid.",
            True,
        ),
        ("InvalidGraph", "Error: Unrecognized attribute: window for operator Attention", True),
        ("Fail", NOT_KNOWN, False),
        ("RuntimeException", "Status Message: ReduceMax is not defined for empty set with bool type", False),
        ("InvalidArgument", "Got invalid dimensions for input: x", False),
    ],
)
def test_what_onnx_runtime_says_that_it_lacks(kind, message, lacks):
    assert bool(ort_lacks(kind, message)) == lacks


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Check failed\nSummary:\n-- No conversion rule found for operations: Det-22\n\n", "Det-22"),
        ("FrontEnd API failed with NotImplementedFailure: get_attribute", "get_attribute"),
        ("a\nUnsupported padding mode: [wrap]\n\nmore", "Unsupported padding mode: [wrap]"),
        ("Unexpected: CPU plug-in doesn't support Unsqueeze operation with dynamic rank", "dynamic rank"),
        ("The split number is invalid", ""),
        ("Check 'is_supported_type' failed", ""),
        ("Arguments do not have the same element type", ""),
    ],
)
def test_what_openvino_says_that_it_lacks(message, words):
    found = openvino_lacks(message)
    assert words in found and bool(found) == bool(words)


@pytest.mark.parametrize(
    ("ports", "declared", "matched"),
    [
        ([{"x"}, {"y"}], ["x", "y"], ["x", "y"]),
        ([{"y"}, {"x"}], ["x", "y"], ["y", "x"]),
        ([{"x"}], ["x", "axes"], ["x"]),  # an unused input was dropped
        ([{"out"}], ["x"], ["x"]),  # it goes straight to the output
        ([{"X"}, {"out"}, {"Z"}], ["X", "Y", "Z"], ["X", "Y", "Z"]),
        ([{"out", "x"}], ["x", "y"], ["x"]),
        ([{"a"}, {"x"}], ["x"], ["", "x"]),
    ],
)
def test_ports_are_matched_with_declared_inputs(ports, declared, matched):
    assert match_ports(ports, declared) == matched
