"""Times a whole call and its stages: preprocess, upload, infer, download, postprocess.

Whole calls (a clock before and after) and split calls (a clock between the stages too) take turns, so that the stages
can be checked against a figure that no clock in between has touched. Ways to bring inputs in and outputs out are then
timed one by one.
"""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.base import Session, check_feeds
from backends.contract import PAGEABLE, PINNED, Array, BackendError, Feeds
from harness.worker import clock
from harness.worker.plain import plain_text
from harness.worker.processing import Processing

STAGES = ("preprocess", "upload", "infer", "download", "postprocess")
FEWEST = 2
"""Pairs of a whole and a split call that are timed however long they take."""
MOST = 150
MOST_TRANSFERS = 60


@dataclass
class StagedCall:
    """One request after the other through all stages. `problems` says, by stage, why it is left out."""

    session: Session
    feeds: Feeds
    processing: Processing | None
    problems: dict[str, str] = field(default_factory=dict)
    last: Feeds | None = None
    """What the last whole call brought in."""

    def __post_init__(self) -> None:
        self._infer = self.session.timed_call()
        # A request waits for the engine's best way; its outputs are read at once, so that no copy is needed.
        self._download_path = self.session.download_paths[0] if self.session.download_paths else ""

    def check(self) -> None:
        """Try every stage once; one that fails or returns nothing is left out from here on."""
        feeds = self.feeds
        if self.processing is not None:
            feeds = self._checked_preprocess(self.processing)
        self.session.upload(feeds)
        self._infer()
        outputs = self.session.download(self._download_path)
        if self.processing is not None and "postprocess" not in self.problems:
            self._checked_postprocess(self.processing, outputs)

    def _checked_preprocess(self, processing: Processing) -> Feeds:
        problem = processing.try_items(lambda feeds: check_feeds(feeds, self.session.inputs))
        if problem and not processing.items:
            self.problems["preprocess"] = problem
            # What comes out of the network for other inputs is no answer to these items.
            self.problems["postprocess"] = f"preprocess failed: {problem}"
            return self.feeds
        return processing.preprocess()

    def _checked_postprocess(self, processing: Processing, outputs: Mapping[str, Array]) -> None:
        try:
            answer = processing.postprocess(outputs)
        except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the reason that is shown
            self.problems["postprocess"] = plain_text(f"{type(error).__name__}: {error}", 500)
            return
        if answer is None or (isinstance(answer, Sequence | Mapping) and len(answer) == 0):
            self.problems["postprocess"] = "it returned nothing"

    @property
    def with_preprocess(self) -> bool:
        """Whether a call begins with encoded items."""
        return self.processing is not None and "preprocess" not in self.problems

    @property
    def with_postprocess(self) -> bool:
        """Whether a call ends with an answer."""
        return self.processing is not None and "postprocess" not in self.problems

    def whole(self) -> int:
        """Nanoseconds of one call from its beginning to its end."""
        preprocess, postprocess = self._steps()
        session, path = self.session, self._download_path
        start = time.perf_counter_ns()
        self.last = feeds = preprocess()
        session.upload(feeds)
        self._infer()
        postprocess(session.download(path))
        return time.perf_counter_ns() - start

    def split(self) -> tuple[int, ...]:
        """Nanoseconds of each of the five stages of one call; the device is waited for after the upload."""
        preprocess, postprocess = self._steps()
        session, path = self.session, self._download_path
        t0 = time.perf_counter_ns()
        feeds = preprocess()
        t1 = time.perf_counter_ns()
        session.upload(feeds)
        session.synchronize()
        t2 = time.perf_counter_ns()
        self._infer()
        t3 = time.perf_counter_ns()
        outputs = session.download(path)
        t4 = time.perf_counter_ns()
        postprocess(outputs)
        t5 = time.perf_counter_ns()
        return (t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4)

    def on_device(self) -> tuple[int, int] | None:
        """Nanoseconds of upload and inference by the device's own events; None where it has none."""
        events = self.session.events()
        if events is None:
            return None
        feeds = self._steps()[0]()
        before = events.mark()
        self.session.upload(feeds)
        between = events.mark()
        self._infer()
        after = events.mark()
        return events.elapsed_ns(before, between), events.elapsed_ns(between, after)

    def _steps(self) -> tuple[Callable[[], Feeds], Callable[[Mapping[str, Array]], object]]:
        processing = self.processing
        preprocess: Callable[[], Feeds] = lambda: self.feeds  # noqa: E731
        postprocess: Callable[[Mapping[str, Array]], object] = lambda _outputs: None  # noqa: E731
        if processing is not None and self.with_preprocess:
            preprocess = processing.preprocess
        if processing is not None and self.with_postprocess:
            postprocess = processing.postprocess
        return preprocess, postprocess


def time_stages(call: StagedCall, ns: int) -> dict[str, Any]:
    """Time pairs of a whole and a split call for about `ns` nanoseconds; all values are nanoseconds a call.

    Answers {"end_to_end", "split": {stage: [...]}, "device": {stage: [...]}, "problems": {stage: why}}.
    """
    call.check()
    whole, rows = array("q"), []
    call.whole(), call.split()
    collecting = gc.isenabled()
    gc.disable()
    try:
        end = time.perf_counter_ns() + ns
        while len(whole) < FEWEST or (len(whole) < MOST and time.perf_counter_ns() < end):
            # In turns which of both comes first, so that neither always follows the other's heat.
            if len(whole) % 2:
                rows.append(call.split())
                whole.append(call.whole())
            else:
                whole.append(call.whole())
                rows.append(call.split())
        device = [found for _ in range(min(len(whole), 50)) if (found := call.on_device()) is not None]
    finally:
        if collecting:
            gc.enable()
    return {
        "end_to_end": list(whole),
        "split": {stage: [row[place] for row in rows] for place, stage in enumerate(STAGES)},
        "device": {"upload": [up for up, _ in device], "infer": [run for _, run in device]} if device else {},
        "problems": call.problems,
        "upload_path": call.session.upload_paths[0] if call.session.upload_paths else "",
        "download_path": call._download_path,
    }


def time_transfers(session: Session, feeds: Feeds, ns: int) -> list[dict[str, Any]]:
    """Time every way of bringing `feeds` in and the outputs out for about `ns` each, the device waited for.

    Answers a list of {"direction", "path", "bytes", "calls", "samples", "device"}: nanoseconds of samples of `calls`
    transfers each, `bytes` carried by one transfer, and nanoseconds by the device's events where it has them.
    """
    clock_ns = clock.clock_cost_ns()
    given: dict[str, Feeds | None] = dict.fromkeys((PINNED, PAGEABLE))
    found = []
    size = sum(array.nbytes for array in feeds.values())
    for path in session.upload_paths:
        # Device memory is filled from the session's own host memory of that kind; a CPU takes the caller's arrays.
        source = given.get(path, feeds)

        def bring(path: str = path, source: Feeds | None = source) -> None:
            session.upload(source, path)
            session.synchronize()

        found.append(_transfer("upload", path, size, bring, session, clock_ns, ns))
    session.timed_call()()
    size = sum(array.nbytes for array in session.download().values())
    for path in session.download_paths:

        def fetch(path: str = path) -> None:
            session.download(path)

        found.append(_transfer("download", path, size, fetch, session, clock_ns, ns))
    return found


def _transfer(
    direction: str,
    path: str,
    size: int,
    carry: Callable[[], None],
    session: Session,
    clock_ns: float,
    ns: int,
) -> dict[str, Any]:
    entry: dict[str, Any] = {"direction": direction, "path": path, "bytes": size, "reason": ""}
    try:
        carry()
        first_ns, _ = clock.elapsed_ns(carry)
        calls = clock.calls_per_sample(first_ns, clock_ns)
        samples = max(5, min(MOST_TRANSFERS, ns // max(1, first_ns * calls)))
        times = clock.timed_samples(carry, samples, calls)
    except (BackendError, RuntimeError, ValueError, OSError) as error:
        return entry | {"calls": 1, "samples": [], "device": [], "reason": plain_text(error, 500)}
    return entry | {"calls": calls, "samples": list(times), "device": _on_device(carry, session)}


def _on_device(carry: Callable[[], None], session: Session) -> list[int]:
    events = session.events()
    if events is None:
        return []
    times = []
    for _ in range(20):
        start = events.mark()
        carry()
        times.append(events.elapsed_ns(start, events.mark()))
    return times
