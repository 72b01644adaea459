"""How inputs came in and outputs went out: a line for every contender and direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.judge.stage_times import Carried, carried, implementations
from harness.records import Result
from harness.show.numbers import exact, figure


def transfer_lines(results: Sequence[Result]) -> Iterator[str]:
    """Size, time and rate of every way of carrying, and what did the pre- and post-processing."""
    for result in results:
        name = result.case.contender.text
        ways = carried(result)
        for direction in ("upload", "download"):
            own = [way for way in ways if way.direction == direction]
            if own:
                told = ", ".join(_way(way) for way in own)
                yield f"{direction} of {name}: {exact(float(own[0].bytes), 'bytes')}; alone: {told}"
    made_by = {stage: text for result in results for stage, text in implementations(result).items()}
    if made_by:
        yield "; ".join(f"{stage} by {text}" for stage, text in made_by.items())


def _way(way: Carried) -> str:
    shown = figure(way.seconds, "seconds")
    if shown.missing:
        return f"{way.path.replace('_', ' ')} n/a ({shown.reason})"
    rate = figure(way.rate, "bytes_per_second")
    speed = "" if rate.missing else f" ({rate.text})"
    device = figure(way.device_seconds, "seconds")
    on_device = "" if device.missing else f", {device.text} on the device"
    return f"{way.path.replace('_', ' ')} {shown.text}{speed}{on_device}"
