"""Graph facts of a torch module: its parameters and buffers, and the operators that one call dispatches."""

from __future__ import annotations

from collections import Counter
from typing import Any

from backends.graph_facts import GraphFacts


def module_facts(torch: Any, module: Any, call: Any) -> GraphFacts:
    """Facts of `module`. `call` is one inference on prepared inputs; None: nothing is prepared, and nothing runs."""
    tensors = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    dtypes: Counter[str] = Counter()
    for tensor in tensors.values():
        dtypes[str(tensor.dtype).removeprefix("torch.")] += tensor.numel()
    notes = () if call is not None else ("operators are counted in a call, and no inputs were prepared",)
    return GraphFacts(
        origin=f"one call of the module in torch {torch.__version__}",
        operators={} if call is None else _dispatched(call),
        dtypes=dict(sorted(dtypes.items())),
        notes=notes,
    )


def _dispatched(call: Any) -> dict[str, int]:
    """Operators of one call by their name in ATen, overloads taken together."""
    from torch.utils._python_dispatch import TorchDispatchMode

    counts: Counter[str] = Counter()

    class Counting(TorchDispatchMode):  # type: ignore[misc]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            counts[f"{func.namespace}::{func._opname}"] += 1
            return func(*args, **(kwargs or {}))

    with Counting():
        call()
    return dict(sorted(counts.items()))
