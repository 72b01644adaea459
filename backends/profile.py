"""What an engine's own profiler told, in one form for every engine. The times are the engine's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backends.contract import Artefact, ContractError, Feeds, ModelSource, Variant

Repeat = Callable[[Callable[[], object], int], None]
"""Runs a call so many times. The harness passes one that times the calls; adapters own no clock."""


def run_repeatedly(call: Callable[[], object], calls: int) -> None:
    """Run `call` `calls` times."""
    for _ in range(calls):
        call()


@dataclass(frozen=True)
class ProfileRequest:
    """What `Backend.profile` was asked for, checked. `folder` exists; raw traces go there."""

    source: ModelSource
    artefact: Artefact
    variant: Variant
    feeds: Feeds
    calls: int
    folder: Path
    repeat: Repeat = run_repeatedly


@dataclass(frozen=True)
class ProfiledLayer:
    """One thing that the engine timed, summed over the profiled calls.

    `outputs` names the ONNX tensors that it produces, or helps to produce where the ONNX file holds in one node what
    the engine runs in several; `fused` those that it computes on the way. Both are empty for what belongs to no ONNX
    tensor (a change of layout) and for what cannot be traced back to one.
    """

    name: str
    """The engine's own name of it."""
    operator: str
    """The engine's own word for what it does."""
    kernel: str = ""
    """The implementation that ran, where the engine tells."""
    precision: str = ""
    """In the engine's own words; empty where it does not tell."""
    calls: int = 0
    """How often it ran in all profiled calls together; 0 for what was fused into another or optimised out."""
    total_ns: int = 0
    """Nanoseconds in all profiled calls together."""
    by_call: tuple[int, ...] = ()
    """Nanoseconds in every profiled call, where the engine tells them apart; their sum is `total_ns`."""
    outputs: tuple[str, ...] = ()
    fused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """The layers of one loaded model in the order in which the engine lists them."""

    layers: tuple[ProfiledLayer, ...]
    calls: int
    """Profiled calls: what the sums of the layers are to be divided by."""
    overhead: str
    """What the engine's profiler adds and how fine its clock is, in words."""
    whole_ns: tuple[int, ...] = ()
    """Nanoseconds of every profiled call as a whole as the engine tells; empty where it does not."""
    traces: tuple[Path, ...] = ()
    """Raw files of the engine."""
    notes: tuple[str, ...] = ()
    """What kept layers from being traced back to ONNX tensors, if anything did."""

    def to_json(self) -> dict[str, Any]:
        """This profile as JSON-able values, paths as text."""
        return asdict(self) | {
            "layers": [asdict(layer) for layer in self.layers],
            "traces": [str(path) for path in self.traces],
        }


def check_profile(profile: object, backend: str, calls: int) -> Profile:
    """`profile`, if it is one that can be used. Raises ContractError that names what is wrong."""
    if not isinstance(profile, Profile):
        raise ContractError(f"profile of {backend} returned {type(profile).__name__}, expected Profile")
    if not profile.layers:
        raise ContractError(f"the profiler of {backend} named no layer")
    if profile.calls != calls:
        raise ContractError(f"the profile of {backend} holds {profile.calls} calls; {calls} were asked for")
    if len(profile.whole_ns) not in (0, calls):
        raise ContractError(f"the profile of {backend} times {len(profile.whole_ns)} whole calls of {calls}")
    for layer in profile.layers:
        if layer.by_call and (len(layer.by_call) != calls or sum(layer.by_call) != layer.total_ns):
            raise ContractError(
                f"layer {layer.name!r} of {backend} has {len(layer.by_call)} calls that sum up to "
                f"{sum(layer.by_call)} ns, of {calls} calls and {layer.total_ns} ns"
            )
        if layer.total_ns < 0 or layer.calls < 0:
            raise ContractError(
                f"layer {layer.name!r} of {backend} has {layer.calls} calls and {layer.total_ns} ns"
            )
    return profile
