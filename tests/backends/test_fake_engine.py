from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from backends.base import Session
from backends.conformance.models import MODELS, reference
from backends.contract import ModelSource, UnsupportedError, Variant
from backends.fake_engine import FAULTS, FakeBackend

MLP = MODELS["mlp"]

CHILD = """
import json, sys
from pathlib import Path
from backends.conformance.models import MODELS
from backends.contract import Variant
from backends.fake_engine import FakeBackend
model = MODELS["mlp"]
folder = Path(sys.argv[1])
backend, variant = FakeBackend(), Variant(options=json.loads(sys.argv[2]))
source = model.source(folder)
session = backend.load(source, backend.build(source, variant, folder), variant)
session.prepare(model.feeds(0, 1))
print("loaded", flush=True)
for number in range(3):
    session.infer()
    print("inferred", number, flush=True)
"""


@pytest.fixture
def source(tmp_path: Path) -> ModelSource:
    return MLP.source(tmp_path)


def open_fake(source: ModelSource, **options: str) -> Session:
    backend, variant = FakeBackend(), Variant(options=options)
    return backend.load(source, backend.build(source, variant, Path()), variant)


def outputs(session: Session, seed: int = 0) -> dict[str, np.ndarray]:
    session.prepare(MLP.feeds(seed, 1))
    session.infer()
    return session.download()


def start(folder: Path, **options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CHILD, str(folder), json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_every_fault_is_documented() -> None:
    text = FakeBackend().capabilities().options["fault"]
    assert all(f"{fault}: " in text for fault in FAULTS if fault != "none")


def test_infer_takes_at_least_the_time_it_is_told(source: ModelSource) -> None:
    session = open_fake(source, time_us="2000", slower="50%")
    assert session.effective()["time_ns"] == 3_000_000
    session.prepare(MLP.feeds(0, 1))
    call = session.timed_call()
    begin = time.perf_counter_ns()
    for _ in range(5):
        call()
    # A lower bound alone: the machine may add time, the fake may not take less.
    assert time.perf_counter_ns() - begin >= 15_000_000


def test_jitter_repeats_with_its_seed(source: ModelSource) -> None:
    def drawn(seed: str) -> list[float]:
        session = open_fake(source, jitter_us="100", seed=seed)
        return [session._random.random() for _ in range(5)]  # type: ignore[attr-defined]

    assert drawn("1") == drawn("1")
    assert drawn("1") != drawn("2")


@pytest.mark.parametrize("fault", ["raise_build", "raise_load", "raise_infer"])
def test_raising_faults(source: ModelSource, fault: str) -> None:
    with pytest.raises(RuntimeError, match=fault):
        outputs(open_fake(source, fault=fault))


def test_spoilt_outputs(source: ModelSource) -> None:
    right = reference(source, MLP.feeds(0, 1))
    assert all(np.isnan(value).all() for value in outputs(open_fake(source, fault="nan")).values())
    wrong = outputs(open_fake(source, fault="wrong_value"))
    assert np.sum(wrong["zeta"] != right["zeta"]) == 1
    assert np.array_equal(wrong["alpha"], right["alpha"])
    assert outputs(open_fake(source, fault="wrong_shape"))["zeta"].shape == (1, 1, 4)
    assert set(outputs(open_fake(source, fault="missing_output"))) == {"zeta"}
    assert set(outputs(open_fake(source, fault="extra_output"))) == {"zeta", "alpha", "surplus"}
    assert outputs(open_fake(source, fault="wrong_dtype"))["zeta"].dtype == np.float64


def test_stale_gives_the_first_outputs_for_ever(source: ModelSource) -> None:
    session = open_fake(source, fault="stale")
    first, second = outputs(session, 0), outputs(session, 1)
    assert np.array_equal(first["zeta"], reference(source, MLP.feeds(0, 1))["zeta"])
    assert np.array_equal(first["zeta"], second["zeta"])


def test_fault_after_lets_calls_pass(source: ModelSource) -> None:
    session = open_fake(source, fault="raise_infer", fault_after="2")
    session.prepare(MLP.feeds(0, 1))
    session.infer()
    session.infer()
    with pytest.raises(RuntimeError):
        session.infer()


@pytest.mark.parametrize(
    ("fault", "exit_code"), [("segfault", -signal.SIGSEGV), ("abort", -signal.SIGABRT), ("exit", 3)]
)
def test_dying_faults(tmp_path: Path, fault: str, exit_code: int) -> None:
    child = start(tmp_path, fault=fault, fault_after="1")
    out, _ = child.communicate(timeout=60)
    assert child.returncode == exit_code
    assert b"inferred 0" in out
    assert b"inferred 1" not in out


def test_hang_does_not_return(tmp_path: Path) -> None:
    child = start(tmp_path, fault="hang")
    assert child.stdout is not None
    assert child.stdout.readline() == b"loaded\n"
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=1)
    child.kill()
    assert child.stdout.read() == b""
    child.communicate()


def test_hang_load_does_not_return(tmp_path: Path) -> None:
    child = start(tmp_path, fault="hang_load")
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(timeout=4)
    child.kill()
    out, _ = child.communicate()
    assert out == b""


@pytest.mark.slow
def test_allocate_takes_all_there_is(tmp_path: Path) -> None:
    child = start(tmp_path, fault="allocate")
    # Set before it can have taken much; the engine then meets the limit instead of the machine's memory.
    resource.prlimit(child.pid, resource.RLIMIT_AS, (3 << 30, 3 << 30))
    out, err = child.communicate(timeout=120)
    assert b"loaded" in out
    assert b"inferred" not in out
    assert b"MemoryError" in err


def test_garbage_goes_to_stdout(tmp_path: Path) -> None:
    out, _ = start(tmp_path, fault="garbage_stdout").communicate(timeout=60)
    assert out.count(b"\xff{garbage") == 4


def test_a_model_without_onnx_is_refused(source: ModelSource) -> None:
    bare = ModelSource("bare", "", source.inputs, source.outputs, torch_factory="x:y")
    with pytest.raises(UnsupportedError, match="bare"):
        FakeBackend().build(bare, Variant(), Path())
