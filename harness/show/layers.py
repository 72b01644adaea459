"""A layer search as text: the finding first, then the tensors around the place where the error begins."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.judge.layer_words import answer_words
from harness.records.layers import LayerSearch, Subgraph, TensorError
from harness.show.numbers import quantity, significant

AROUND = 3
"""Seen tensors that are shown before the place and after it."""
_NAMES = 40
_STYLE = {"found": "bold red", "clean": "green"}


def print_layers(found: LayerSearch, console: Console) -> None:
    """Print everything about one search."""
    line = Text()
    line.append(f"{found.contender.text}, tensor by tensor on {found.input_set}: ", style="bold")
    line.append(answer_words(found), style=_STYLE.get(found.status, "yellow"))
    console.print(line, soft_wrap=True)
    for place in found.places[1:]:
        console.print(Text(f"  also: {place.words}"), soft_wrap=True)
    if found.subgraph is not None:
        console.print(Text(f"  {subgraph_words(found.subgraph)}"), soft_wrap=True)
    if found.places:
        console.print(growth_table(found))
    counts = Counter(tensor.status for tensor in found.tensors)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    if told:
        console.print(Text(f"  tensors: {told}{_cost(found)}", style="dim"), soft_wrap=True)
    for names, where in ((found.only_in_model, "model"), (found.only_in_reference, "reference")):
        if names:
            listed = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
            console.print(
                Text(f"  {len(names)} tensors are in the {where} only: {listed}", style="dim"), soft_wrap=True
            )
    for note in found.notes:
        console.print(Text(f"  {note}", style="dim"), soft_wrap=True)


def subgraph_words(part: Subgraph) -> str:
    """The smallest failing part in a sentence."""
    if part.status == "unavailable":
        return f"the smallest failing part: n/a ({part.reason})"
    if part.status == "only_in_whole":
        return f"it fails only within the whole model: {part.reason}"
    size = len(part.nodes)
    what = ", ".join(f"{o} {n}" for o, n in zip(part.operators, part.nodes, strict=False))
    words = f"smallest failing part: {what if size <= 4 else f'{size} nodes up to {part.nodes[-1]}'}"
    if part.folder:
        words += f"; to repeat it: {part.folder}"
    return f"{words} ({part.reproduction})" if part.reproduction else words


def growth_table(found: LayerSearch) -> Table:
    """The seen tensors around the first place, in topological order."""
    seen = [tensor for tensor in found.tensors if tensor.status in ("within", "beyond")]
    names = [tensor.name for tensor in seen]
    first = names.index(found.places[0].tensor) if found.places[0].tensor in names else 0
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="bold")
    table.add_column("ONNX tensor", max_width=_NAMES, overflow="ellipsis", no_wrap=True)
    table.add_column("operator", max_width=22, overflow="ellipsis", no_wrap=True)
    for head in ("error (rms)", "largest", "of its budget"):
        table.add_column(head, justify="right")
    for tensor in seen[max(0, first - AROUND) : first + AROUND + 1]:
        style = "bold red" if tensor.name == found.places[0].tensor else ""
        table.add_row(tensor.name, tensor.operator, *_cells(tensor), style=style)
    return table


def _cells(tensor: TensorError) -> tuple[str, str, str]:
    ratios = (quantity(tensor.ratio_rms, "ratio"), quantity(tensor.ratio_max, "ratio"))
    return *ratios, "" if tensor.excess is None else f"{significant(tensor.excess, 2)}×"


def _cost(found: LayerSearch) -> str:
    parts = []
    if found.seconds is not None:
        parts.append(quantity(found.seconds, "seconds"))
    if found.memory_bytes is not None:
        parts.append(quantity(found.memory_bytes, "bytes"))
    return f"; the search took {', '.join(parts)}" if parts else ""
