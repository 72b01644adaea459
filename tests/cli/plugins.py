"""Plug-in distributions made for a test: a module and its metadata in a folder, found through PYTHONPATH.

That is the mechanism of entry points itself; only pip is left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

ENGINE = '''
"""Engines that go wrong in one way each; `Honest` does not."""

import ctypes, os, pathlib, sys, time
import numpy as np
from backends.base import Backend, Session
from backends.contract import Artefact, Capabilities, Probe, UnsupportedError


class Honest(Backend):
    name = "honest"

    def probe(self):
        return Probe(True, version="1.0", devices=("cpu",), flavours={"": ""})

    def capabilities(self, flavour=""):
        return Capabilities(sources=("onnx",), precisions=("fp32",))

    def _build(self, source, variant, folder):
        return Artefact(source.onnx_path, 1, "none")

    def _load(self, source, artefact, variant):
        from onnx.reference import ReferenceEvaluator
        return self.session(source, ReferenceEvaluator(str(artefact.path)), variant)

    @property
    def session(self):
        return HonestSession


class HonestSession(Session):
    def __init__(self, source, evaluator, variant):
        super().__init__(source.inputs, source.outputs)
        self.evaluator, self.variant, self.calls, self.values = evaluator, variant, 0, {}

    def _prepare(self, feeds):
        names = [spec.name for spec in self.outputs]
        self.values = dict(zip(names, self.evaluator.run(names, {k: np.array(v) for k, v in feeds.items()})))

    def _infer(self):
        self.calls += 1
        self.fault()
        time.sleep(0.0005)

    def fault(self):
        pass

    def _download(self):
        return {name: np.array(value) for name, value in self.values.items()}

    def effective(self):
        return {"threads": self.variant.threads, "precision": "fp32", "device": "cpu"}


def faulty(name, **methods):
    """A backend whose session has other methods, under its name in this module."""
    session = type(name + "Session", (HonestSession,), methods)
    globals()[name] = type(name, (Honest,), {"session": session})


def give(value):
    def method(self, *_, **__):
        return value
    return method


def fail(words):
    def method(self, *_, **__):
        raise RuntimeError(words)
    return method


def spoilt(spoil):
    def download(self):
        return spoil(HonestSession._download(self))
    return download


def on_call(number, action):
    def fault(self):
        if self.calls >= number:
            action()
    return fault


def hang(*_, **__):
    while True:
        time.sleep(3600)


def allocate():
    hoard = []
    while True:
        hoard.append(bytearray(b"x") * 2**24)


def shout():
    for fd in (1, 2):
        os.write(fd, b'\\x00\\xff\\x1b[31m{"error": "garbage"}\\n' * 200)
    print("a chatty engine")
    print("warning: chatty", file=sys.stderr)


def tell_pid():
    # Replaced, never written in place: a test reads the file between any two calls.
    fresh = pathlib.Path(os.environ["PID_FILE"] + ".new")
    fresh.write_text(str(os.getpid()))
    fresh.replace(os.environ["PID_FILE"])


class RaisesInProbe(Honest):
    probe = fail("the licence server said no")


class RaisesInBuild(Honest):
    _build = fail("operator Frobnicate is not supported\\nby this build")


class RaisesInLoad(Honest):
    _load = fail("device lost \\udcff \\x1b[31mred\\x1b[0m \\x07")


class HangsInProbe(Honest):
    probe = hang


class Absent(Honest):
    def probe(self):
        return Probe(False, reason="libfrob.so.3 is not here", install="pip install frob")


class Picky(Honest):
    def _build(self, source, variant, folder):
        raise UnsupportedError("only quantised models can be built")


faulty("RaisesInInfer", fault=lambda self: fail("kernel launch failed")(self))
faulty("RaisesLate", fault=on_call(30, lambda: fail("the 30th call failed")(None)))
faulty("Segfaults", fault=lambda self: ctypes.string_at(0))
faulty("Leaves", fault=lambda self: os._exit(7))
faulty("Hangs", fault=lambda self: hang())
faulty("Allocates", fault=lambda self: allocate())
faulty("SaysBadAlloc", fault=lambda self: fail("std::bad_alloc in arena")(self))
faulty("Shouts", fault=on_call(1, shout))
faulty("TellsPid", fault=on_call(1, tell_pid))
faulty("SlowAndTells", fault=lambda self: (time.sleep(0.05), on_call(55, tell_pid)(self)))

faulty("GivesNan", _download=spoilt(lambda o: {k: np.full_like(v, np.nan) for k, v in o.items()}))
faulty("GivesWrongShape", _download=spoilt(lambda o: {k: v[None] for k, v in o.items()}))
faulty("GivesNothing", _download=spoilt(lambda o: {}))
faulty("GivesWrongValues", _download=spoilt(lambda o: {k: v + 1 for k, v in o.items()}))
faulty("GivesObjects", _download=spoilt(lambda o: {k: v.astype(object) for k, v in o.items()}))
faulty("GivesWords", _download=spoilt(lambda o: {k: v.astype(str) for k, v in o.items()}))
faulty("GivesAList", _download=spoilt(lambda o: list(o.values())))


def swap_first_two(outputs):
    names = list(outputs)
    first, second = names[:2]
    return {**outputs, first: outputs[second], second: outputs[first]}


def fed_with(change):
    """A `_prepare` that changes the inputs before it computes."""
    def prepare(self, feeds):
        HonestSession._prepare(self, {name: change(np.asarray(value)) for name, value in feeds.items()})
    return prepare


def narrowed(value):
    return value.astype({"f": np.float16, "i": np.int8}.get(value.dtype.kind, value.dtype)).astype(value.dtype)


def first_entry_for_all(outputs):
    return {name: np.repeat(value[:1], len(value), axis=0) for name, value in outputs.items()}


def nan_where_inputs_are_zero(self, feeds):
    HonestSession._prepare(self, feeds)
    if any(np.any(value == 0) for value in feeds.values() if value.dtype.kind == "f"):
        self.values = {
            name: np.full_like(value, np.nan) if value.dtype.kind == "f" else value
            for name, value in self.values.items()
        }


def dropped_out(outputs):
    draw = np.random.default_rng()
    return {
        name: np.where(draw.random(value.shape) < 0.1, 0, value).astype(value.dtype)
        for name, value in outputs.items()
    }


def reversed_signature(self, source, evaluator, variant):
    HonestSession.__init__(self, source, evaluator, variant)
    self.outputs = tuple(reversed(self.outputs))


def constant_outputs(self, feeds):
    HonestSession._prepare(self, {name: np.ones_like(value) for name, value in feeds.items()})


faulty("SwapsOutputs", _download=spoilt(swap_first_two))
faulty("ReordersOutputs", __init__=reversed_signature)
faulty("CastsInputs", _prepare=fed_with(narrowed))
faulty("IgnoresBatch", _download=spoilt(first_entry_for_all))
faulty("NanForZeros", _prepare=nan_where_inputs_are_zero)
faulty("DropsOut", _download=spoilt(dropped_out))
faulty("IgnoresInputs", _prepare=constant_outputs)
faulty("RoundsOutputs", _download=spoilt(lambda o: {k: v.astype(np.float16).astype(v.dtype) for k, v in o.items()}))
faulty("Scales", _download=spoilt(lambda o: {k: (v * 1.001).astype(v.dtype) for k, v in o.items()}))
faulty("OffByOneRow", _download=spoilt(lambda o: {k: np.roll(v, 1, axis=0) for k, v in o.items()}))


class StaleSession(HonestSession):
    """For ever the outputs of the first inputs."""

    def _prepare(self, feeds):
        if not self.values:
            super()._prepare(feeds)


class Stale(Honest):
    session = StaleSession


class LazySession(HonestSession):
    """Right the first time that each input set is looked at, and then it stops working."""

    looked_at = 0

    def _download(self):
        right = super()._download()
        self.looked_at += 1
        return right if self.looked_at <= 2 else {name: np.zeros_like(value) for name, value in right.items()}


class Lazy(Honest):
    session = LazySession


class OddAnswers(Honest):
    """Works, but answers with types that nobody expects."""

    def probe(self):
        return Probe(True, version=(1, 2, "\\udcff"), devices=("cpu",), flavours={"": ""})

    class session(HonestSession):
        def effective(self):
            return {"precision": "fp32", "device": "cpu", 3: np.float32(4), "self": self, "nan": float("nan")}


class ProbesNothing(Honest):
    probe = give(None)


class BuildsNothing(Honest):
    _build = give(None)


class LoadsNothing(Honest):
    _load = give(None)


class NoBackend:
    pass
'''


def make_plugin(folder: Path, name: str, module: str, entries: Mapping[str, str]) -> Path:
    """A distribution NAME 1.0 in `folder`: `module` is its source, `entries` backend name -> class in it."""
    folder.mkdir(parents=True, exist_ok=True)
    code = name.replace("-", "_")
    (folder / f"{code}.py").write_text(textwrap.dedent(module), encoding="utf-8")
    info = folder / f"{code}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{backend} = {code}:{target}" for backend, target in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[harness.backends]", *lines, ""]))
    return folder
