"""Whatever one engine does, the comparison goes on: the other contender gets its figures, and the fault is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.records import Result
from tests.cli.command import QUICK, Ended, Harness, control_characters


@dataclass(frozen=True)
class Fault:
    """How an engine ends that could not be measured."""

    engine: str
    status: str
    phase: str
    words: str
    flags: tuple[str, ...] = ()
    tail: str = ""

    def __str__(self) -> str:
        return self.engine


FAULTS = [
    Fault("raises-in-probe", "failed", "import", "the licence server said no"),
    Fault("raises-in-build", "failed", "build", "operator Frobnicate is not supported"),
    Fault("raises-in-load", "failed", "load", "device lost"),
    Fault("raises-in-infer", "failed", "first inference", "kernel launch failed"),
    Fault("raises-late", "failed", "warm-up", "the 30th call failed"),
    Fault("picky", "unsupported", "build", "only quantised models can be built"),
    Fault("absent", "unavailable", "import", "libfrob.so.3 is not here; install it with: pip install frob"),
    Fault("segfaults", "crashed", "first inference", "SIGSEGV", tail="Segmentation fault"),
    Fault("leaves", "crashed", "first inference", "exit code 7"),
    Fault("says-bad-alloc", "out_of_memory", "first inference", "std::bad_alloc"),
    Fault("gives-objects", "failed", "outputs", "came back as object"),
    Fault("gives-words", "failed", "outputs", "which are no numbers"),
    Fault("gives-a-list", "failed", "outputs", "download() returned list"),
    Fault("probes-nothing", "failed", "import", "returned NoneType, expected Probe"),
    Fault("builds-nothing", "failed", "build", "returned NoneType, expected Artefact"),
    Fault("loads-nothing", "failed", "load", "returned NoneType, expected Session"),
    Fault("hangs", "timeout", "first inference", "did not end within 6 s", ("--deadline", "6s")),
    Fault("hangs-in-probe", "timeout", "import", "did not end within 6 s", ("--deadline", "6s")),
    Fault("allocates", "out_of_memory", "first inference", "memory", ("--memory-limit", "1GiB")),
]


@pytest.fixture(scope="module", params=FAULTS, ids=str)
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path, engines: Path
) -> tuple[Fault, Ended, Harness]:
    fault: Fault = request.param
    harness = Harness(tmp_path_factory.mktemp(fault.engine), cache, (engines,))
    done = harness("compare", "ort", fault.engine, *QUICK, *fault.flags, "--json", "record.json")
    return fault, done, harness


def test_the_other_contender_gets_its_figures(told: Any) -> None:
    _, done, harness = told
    other = harness.results()["ort"]
    assert other.status == "measured"
    assert other.trials[0].rounds[0].samples_ns
    assert other.parity is not None and other.parity.status == "pass"
    assert "Only ort could be measured; it computes the right thing" in done
    assert done.code == 1


def test_the_message_says_who_where_what(told: Any) -> None:
    fault, done, _ = told
    assert f"{fault.engine}: {fault.status} in {fault.phase}: " in " ".join(done.out.split())
    assert fault.words in " ".join(done.out.split())
    assert f"{fault.engine}: {fault.status} in {fault.phase}: " in " ".join(done.err.split())
    assert not control_characters(done.out + done.err)


def test_the_database_and_the_document_hold_it(told: Any) -> None:
    fault, _, harness = told
    stored: Result = harness.results()[fault.engine]
    assert (stored.status, stored.failure.phase) == (fault.status, fault.phase)
    assert fault.words in " ".join(stored.failure.message.split())
    assert fault.tail in stored.failure.stderr_tail
    document = harness.document()
    assert [r for r in document.results if r.case.contender.text == fault.engine] == [stored]
    assert document.exit_code == 1


def test_what_helps_is_said(told: Any) -> None:
    fault, done, harness = told
    advice = {"timeout": "--deadline", "out_of_memory": "--memory-limit"}.get(fault.status, "")
    assert advice in harness.results()[fault.engine].failure.hint
    assert advice in done.out


def test_nothing_is_left_behind(told: Any) -> None:
    _, _, harness = told
    assert harness.builds() == []


@dataclass(frozen=True)
class Wrong:
    """An engine that runs, and computes something else."""

    engine: str
    words: str

    def __str__(self) -> str:
        return self.engine


WRONG = [
    Wrong("gives-nan", "values are NaN"),
    Wrong("gives-wrong-shape", "shape (1, 1, 10) instead of (1, 10)"),
    Wrong("gives-nothing", "output logits was not returned"),
    Wrong("gives-wrong-values", "the yardstick's, allowed"),
    Wrong("stale", "the yardstick's, allowed"),
    Wrong("lazy", "output logits on normal:0 turned"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_an_engine_that_computes_the_wrong_thing_never_wins(harness: Harness, wrong: Wrong) -> None:
    done = harness("compare", "ort", wrong.engine, *QUICK, "--json", "record.json")
    assert done.code == 1
    assert f"{wrong.engine} computes the wrong thing. ort is the only one measured and right." in done
    assert wrong.words in done
    stored = harness.results()[wrong.engine]
    assert stored.status == "measured" and stored.parity is not None
    assert stored.parity.status == "fail"
    assert wrong.words in stored.parity.reason
    assert harness.document().exit_code == 1


def test_garbage_on_stdout_and_stderr_disturbs_nothing(harness: Harness) -> None:
    done = harness("compare", "ort", "shouts", *QUICK)
    assert done.code == 0, done.text
    assert "{" not in done and "chatty" not in done
    assert not control_characters(done.out + done.err)
    assert harness.results()["shouts"].status == "measured"


def test_answers_of_unexpected_types_become_text(harness: Harness) -> None:
    done = harness("compare", "ort", "odd-answers", *QUICK)
    assert done.code == 0, done.text
    stored = harness.results()["odd-answers"]
    assert stored.status == "measured"
    assert stored.engine_version.startswith("(1, 2")
    assert stored.effective["3"] == 4.0
    assert stored.effective["nan"] == "nan"


def test_several_faults_at_once_leave_the_right_one(harness: Harness) -> None:
    done = harness("compare", "segfaults", "gives-nan", "ort", "leaves", "honest", *QUICK)
    assert done.code == 1
    statuses = {name: result.status for name, result in harness.results().items()}
    assert statuses == {
        "segfaults": "crashed",
        "gives-nan": "measured",
        "ort": "measured",
        "leaves": "crashed",
        "honest": "measured",
    }


def test_when_every_contender_fails_nothing_was_measured(harness: Harness) -> None:
    done = harness("compare", "segfaults", "raises-in-load", *QUICK)
    assert done.code == 3
    assert "Nothing could be measured." in done
