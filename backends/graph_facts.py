"""What a model consists of, in a file or inside an engine: operators, constants, operator set.

Standard library only; `backends.onnx_facts` reads these facts from an ONNX model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from backends.contract import ContractError

PARAMETER_DTYPES = frozenset(
    {
        *("float64", "float32", "float16", "bfloat16", "int8", "uint8", "int4", "uint4"),
        *("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "float4e2m1"),
    }
)
"""Constants of these types are parameters. Wider integers are shapes, axes and indices."""


@dataclass(frozen=True)
class GraphFacts:
    """A graph in numbers. What is not known is empty, and `notes` say why."""

    origin: str
    """Where the facts were read, e.g. "the optimised graph of onnxruntime 1.31.1"."""
    operators: Mapping[str, int]
    """Operator type, in the words of the format or engine -> nodes. Constants, inputs and outputs are no operators."""
    dtypes: Mapping[str, int]
    """numpy's name of a type (also "bfloat16", "int4") -> elements of all constants of it."""
    opset: Mapping[str, int] = field(default_factory=dict)
    """Domain of an operator set (or the name of another format) -> its version."""
    stored: Mapping[str, int] = field(default_factory=dict)
    """Like `dtypes`, in the artefact's file, where that is not the model's own."""
    casts: Mapping[str, str] = field(default_factory=dict)
    """Input -> the type that the engine turns it into before anything is computed, where it is another one."""
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> int | None:
        """Elements of all constants of `PARAMETER_DTYPES`; None where the constants are not known."""
        return parameters_of(self.dtypes)

    def to_json(self) -> dict[str, Any]:
        """These facts as JSON-able values."""
        return asdict(self)


def parameters_of(dtypes: Mapping[str, int]) -> int | None:
    """Elements of parameters in a histogram of constants; None for an empty one."""
    if not dtypes:
        return None
    return sum(count for dtype, count in dtypes.items() if dtype in PARAMETER_DTYPES)


def check_graph_facts(facts: object, backend: str) -> GraphFacts:
    """The facts, if they can be used. Raises ContractError for another type or for counts that are no counts."""
    if not isinstance(facts, GraphFacts):
        raise ContractError(f"graph() of {backend} returned {type(facts).__name__}, expected GraphFacts")
    for name in ("operators", "dtypes", "opset", "stored"):
        for key, count in getattr(facts, name).items():
            whole = isinstance(count, int) and not isinstance(count, bool)
            if not isinstance(key, str) or not whole or count < 0:
                raise ContractError(
                    f"graph() of {backend}: {name} holds {key!r}: {count!r}, which is no count"
                )
    return facts
