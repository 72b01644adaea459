"""The ONNX reference evaluator, made to compute in float64 where float64 is asked, or to refuse.

It is written for float32 and in places computes in float32 whatever it is given: as it comes, every model with an
`Erf` (each transformer) would get a float64 reference with float32 errors. onnx is imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any

import numpy as np

from backends.contract import Array
from suites.errors import ModelError

IN_FLOAT32 = frozenset(
    {
        "CausalConvWithState",
        "DynamicQuantizeLinear",
        "LinearAttention",
    }
)
"""Operators whose implementation in `onnx.reference` (1.23) rounds to float32 inside; some cast their result back."""
_UNKNOWN = "without a reference its parity stays unknown"
_LOWERED: ContextVar[set[str] | None] = ContextVar("_LOWERED", default=None)
"""Where operators computed below float64 are noted while that is allowed."""


class LackingError(ModelError):
    """The evaluator has no implementation of an operator, or of its version."""


def evaluate(
    model: Any,
    name: str,
    outputs: Sequence[str],
    feeds: Mapping[str, Array],
    *,
    exact: bool,
    lowered: set[str] | None = None,
) -> list[Array]:
    """The values of `outputs` of the `onnx.ModelProto` `model` (called `name` in errors) for `feeds`.

    With `exact` the model must be in float64 throughout (see `suites.onnx_precision`), and a step in a lower
    precision is an error; where `lowered` is given, the operator is added to it instead, and the rest goes on in
    float64. Raises ModelError for that, and LackingError for an operator that the evaluator lacks.
    """
    token = _LOWERED.set(lowered)
    try:
        return _evaluate(model, name, outputs, feeds, exact=exact)
    finally:
        _LOWERED.reset(token)


def _evaluate(
    model: Any, name: str, outputs: Sequence[str], feeds: Mapping[str, Array], *, exact: bool
) -> list[Array]:
    from onnx.reference.op_run import RuntimeContextError, RuntimeTypeError

    try:
        # While it is set up, a RuntimeError too means an operator, or a version of one, without implementation.
        evaluator = _evaluator_type(exact)(model)
    except (NotImplementedError, RuntimeError) as error:
        raise _lacking(name, error) from error
    try:
        return [np.asarray(value) for value in evaluator.run(list(outputs), dict(feeds))]
    except (NotImplementedError, RuntimeContextError, RuntimeTypeError) as error:
        raise _lacking(name, error) from error


def _lacking(name: str, error: Exception) -> ModelError:
    reason = (
        str(error).partition(", schema.")[0].splitlines()[0]
    )  # what follows lists all operators there are
    return LackingError(
        f"the ONNX reference evaluator cannot run {name!r}: {reason}",
        f"{_UNKNOWN}; export it with standard operators of a recent opset",
    )


@cache
def _evaluator_type(exact: bool) -> Any:
    """The evaluator as we need it; a class, because it makes one of its own kind for every subgraph and function."""
    from onnx import FunctionProto
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    from suites.evaluator_grids import exact_grids
    from suites.evaluator_lookups import whole_lookups
    from suites.evaluator_sums import SUMMING, adding_plainly, plain_sums

    error_function = np.vectorize(math.erf, otypes=[np.float64])

    class Erf(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Array) -> tuple[Array]:
            return (np.asarray(error_function(x)).astype(x.dtype),)

    class LogSoftmax(OpRun):  # type: ignore[misc]
        """Theirs is the logarithm of a softmax: minus infinity where that underflows."""

        op_domain = ""

        def _run(self, x: Array, axis: int | None = None) -> tuple[Array]:
            places = -1 if axis is None else axis
            apart = x - x.max(axis=places, keepdims=True)
            total = np.sum(np.exp(apart), axis=places, keepdims=True)
            return ((apart - np.log(total)).astype(x.dtype),)

    class Evaluator(ReferenceEvaluator):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            own = (Erf, LogSoftmax, *exact_grids(), *whole_lookups(), *plain_sums())
            options["new_ops"] = [*(options.get("new_ops") or ()), *own]
            super().__init__(*arguments, **options)
            for node in self.rt_nodes_ if not exact else ():
                if node.op_type in SUMMING:
                    node.run = adding_plainly(node.run)
            if exact:
                _watch(self.rt_nodes_, in_function=isinstance(self.proto_, FunctionProto))

    return Evaluator


def _watch(nodes: Sequence[Any], *, in_function: bool) -> None:
    """Make `nodes` refuse to compute below float64.

    In functions, by which some operators are defined, only casts are watched: their constants are float32 by
    definition and cast before use.
    """
    for node in nodes:
        if node.op_type in IN_FLOAT32:
            _note(node.op_type, "float32")
        if not in_function or node.op_type == "Cast":
            node.run = _watched(node.run, node.op_type)


def _watched(run: Callable[..., Any], operator: str) -> Callable[..., Any]:
    def checked(*inputs: Any, **options: Any) -> Any:
        return tuple(_raised(result, operator) for result in run(*inputs, **options))

    return checked


def _raised(result: Any, operator: str) -> Any:
    """`result`, in float64 where it is a float; a lower precision is noted."""
    is_float = isinstance(result, np.ndarray | np.generic) and np.issubdtype(result.dtype, np.floating)
    if not is_float or result.dtype == np.float64:
        return result
    _note(operator, str(result.dtype))
    return result.astype(np.float64)


def _note(operator: str, dtype: str) -> None:
    lowered = _LOWERED.get()
    if lowered is None:
        raise ModelError(
            f"the ONNX reference evaluator computes {operator} in {dtype}, not in float64", _UNKNOWN
        )
    lowered.add(operator)
