"""Where results stand under the machine's roof: a line for every contender."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.judge.comparison import ContenderSummary
from harness.judge.roofline import roofline_of
from harness.records import Result
from harness.show.numbers import quantity


def roofline_lines(contenders: Sequence[ContenderSummary], results: Sequence[Result]) -> Iterator[str]:
    """What each attained of which ceiling, with the notes that belong to it; nothing where no work was counted."""
    for contender, result in zip(contenders, results, strict=True):
        found = roofline_of(result, contender.p50)
        if found is None or found.share.value is None or found.attained_flops.value is None:
            continue
        rate = f"{found.attained_flops.value / 1e9:.3g} GFLOP/s"
        moved = quantity(found.attained_bytes.value, "bytes_per_second")
        notes = "".join(f"; {note}" for note in found.notes)
        yield f"{contender.contender}: {found.words} ({rate}, {moved} at least){notes}"
