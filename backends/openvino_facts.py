"""Graph facts of OpenVINO: what the plugin executes, and the constants in the file that it was compiled from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from backends.graph_facts import GraphFacts

_NAMES = {
    "f64": "float64",
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "i4": "int4",
    "u4": "uint4",
    "boolean": "bool",
}
_NO_OPERATORS = frozenset({"Const", "Constant", "Input", "Output", "Parameter", "Result"})


_CONVERTING = frozenset({"Convert", "Reorder"})
_WHOLE = frozenset({"int32", "int64", "uint32", "uint64"})

_HIDING = frozenset({"If", "Loop", "TensorIterator"})
"""Layers that run graphs of their own, which the runtime graph does not show."""


def runtime_facts(engine: Any, compiled: Any, path: Path | None) -> GraphFacts:
    """Facts of a compiled model's runtime graph; `path` is the file that it was read from."""
    operators: Counter[str] = Counter()
    dtypes: Counter[str] = Counter()
    casts: dict[str, str] = {}
    for node in compiled.get_runtime_model().get_ops():
        info = {
            key: value.astype(str) for key, value in node.get_rt_info().items() if hasattr(value, "astype")
        }
        kind = info.get("layerType", "")
        if kind == "Const":
            if elements := _elements(node):  # what is empty has no type
                dtypes[_read_as(node) or _name(info.get("runtimePrecision", ""))] += elements
        elif kind and kind not in _NO_OPERATORS:
            operators[kind] += 1
        if kind == "Convert":
            casts |= _cast(node)
    hiding = sorted(set(operators) & _HIDING)
    return GraphFacts(
        notes=(
            f"constants inside {', '.join(hiding)} are not in its runtime graph, so that none are counted",
        )
        if hiding
        else (),
        origin=f"the runtime graph of openvino {engine.__version__.partition('-')[0]}",
        operators=dict(sorted(operators.items())),
        dtypes={} if hiding else dict(sorted(dtypes.items())),
        stored={} if path is None else _stored(engine, path),
        opset={} if path is None else _version(path),
        casts=casts,
    )


def _read_as(constant: Any) -> str:
    """The type that every reader turns a constant into, where that is a wide integer; else empty.

    OpenVINO keeps axes and sizes that it makes itself as u8 beside a conversion to i32: these are no weights.
    """
    readers = [target.get_node() for target in constant.output(0).get_target_inputs()]
    kinds = {
        _name(reader.get_output_element_type(0).get_type_name())
        if reader.get_rt_info()["layerType"].astype(str) in _CONVERTING
        else ""
        for reader in readers
    }
    return min(kinds) if kinds and kinds <= _WHOLE else ""


def _cast(node: Any) -> dict[str, str]:
    """Input -> type, where a conversion is all that reads it."""
    source = node.input_value(0).get_node()
    if source.get_type_name() != "Parameter" or len(source.output(0).get_target_inputs()) > 1:
        return {}
    return {source.get_friendly_name(): _name(node.get_output_element_type(0).get_type_name())}


def _stored(engine: Any, path: Path) -> dict[str, int]:
    """Constants of the file by type, those of graphs inside operators included."""
    found: Counter[str] = Counter()
    for node in _operators(engine.Core().read_model(str(path))):
        if node.get_type_name() == "Constant":
            found[_name(node.get_output_element_type(0).get_type_name())] += _elements(node)
    return dict(sorted(found.items()))


def _operators(model: Any) -> Iterator[Any]:
    for node in model.get_ops():
        yield node
        kind = node.get_type_name()
        if kind in _HIDING:
            for index in range(2 if kind == "If" else 1):
                yield from _operators(node.get_function(index) if kind == "If" else node.get_function())


def _version(path: Path) -> dict[str, int]:
    from xml.etree import ElementTree

    try:
        return {"OpenVINO IR": int(ElementTree.parse(path).getroot().get("version", ""))}  # noqa: S314 - our own file
    except (ParseError, OSError, ValueError):
        return {}


def _elements(node: Any) -> int:
    return prod(int(size) for size in node.get_output_shape(0))


def _name(word: str) -> str:
    return _NAMES.get(word, word)
