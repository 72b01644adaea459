"""What a reader of a layer search must know beside its finding."""

from __future__ import annotations

from collections import Counter

from harness.judge.layer_search import beginnings, first_bad
from harness.judge.layer_words import error_words
from harness.judge.parity.budgets import widening
from harness.run.layers.places import Search


def search_notes(search: Search) -> tuple[str, ...]:
    """How values were seen, what marking changed, what is missing, and what is beyond its budget without harm."""
    notes = list(search.right.notes)
    if search.fusions.unknown:
        notes.append(
            "the engine does not tell what it fuses, so tensors were marked step by step and fusions broken:"
            f" {search.fusions.unknown}"
        )
    unit = widening(search.workshop.plan.precision)
    for output, moved in search.sightings.moved.items():
        if moved > unit:
            notes.append(
                f"marking tensors changed output {output} by {moved:.3g}× the yardstick's error: what was seen"
                " inside is not quite what runs unmarked"
            )
    left = Counter(
        search.right.left_out[name] for name in search.graph.tensors if name in search.right.left_out
    )
    notes += [f"{count} tensors are left out: {why}" for why, count in left.items()]
    refused = Counter(search.sightings.unseen.values())
    notes += [f"{count} tensors were not seen: {why}" for why, count in refused.items()]
    notes += _harmless(search)
    return tuple(notes)


def _harmless(search: Search) -> list[str]:
    """Tensors that leave their budgets although no output does, or no failing output is computed from them."""
    tensors = search.sightings.tensors
    chosen = set(beginnings(search.graph, tensors))
    status = {name: tensor.status for name, tensor in tensors.items()}
    others = [name for name in first_bad(search.graph, status) if name not in chosen]
    if any(status.get(name) == "beyond" for name in search.graph.outputs):
        words = "no output that is wrong is computed from it"
    else:
        words = "the outputs are within theirs all the same"
    return [
        f"{name} ({tensors[name].operator}) is beyond its budget, {error_words(tensors[name])}; {words}"
        for name in others[:5]
    ]
