"""The kit: does the engine compute what the reference computes, and only that?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from backends.conformance.models import MODELS, KitModel, reference
from backends.conformance.plugin import Kit
from backends.contract import Array, ContractError, ModelSource

# Largest error of any element, in units of the output's largest value. The kit's models are a few layers deep, so
# each bound is some hundred rounding errors of its format (2**-24, 2**-11, 2**-8): far above right arithmetic,
# far below a wrong gate, axis or weight.
TOLERANCES = {"fp32": 1e-5, "tf32": 2e-2, "fp16": 2e-2, "bf16": 6e-2, "int8": 1e-1}


def assert_equal(
    source: ModelSource, got: Mapping[str, Array], feeds: Mapping[str, Array], precision: str
) -> None:
    """Names, order, dtypes, shapes and values of the outputs are the reference's."""
    right = reference(source, feeds)
    assert list(got) == list(right), f"outputs {list(got)}, declared {list(right)}"
    for name, expected in right.items():
        value = got[name]
        assert isinstance(value, np.ndarray), f"output {name!r} is a {type(value).__name__}"
        assert value.dtype == expected.dtype, f"output {name!r} is {value.dtype}, declared {expected.dtype}"
        assert value.shape == expected.shape, (
            f"output {name!r} has shape {value.shape}, right is {expected.shape}"
        )
        if expected.dtype.kind == "f":
            assert np.isfinite(value).all(), f"output {name!r} is not finite"
            error = float(np.abs(value.astype(np.float64) - expected).max() / np.abs(expected).max())
            assert error <= TOLERANCES[precision], (
                f"output {name!r} is off by {error:.2e} of its largest value"
            )
        elif precision == "fp32":
            # An index may rightly flip under rounding in the narrow formats; in fp32 the kit's margins hold.
            assert (value == expected).all(), f"output {name!r} differs"


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_outputs_equal_the_reference(kit: Kit, model: KitModel, precision: str) -> None:
    """Two input sets, in every declared precision; for `branch` they take different arms."""
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model, precision=precision))
    for seed in (0, 1):
        feeds = model.feeds(seed, batch=1)
        session.prepare(feeds)
        session.upload()
        session.infer()
        session.synchronize()
        assert_equal(source, session.download(), feeds, precision)


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_timed_call_computes_the_same(kit: Kit, model: KitModel) -> None:
    """The timed call is the checked call: after other inputs were bound, it computes their outputs."""
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model))
    session.prepare(model.feeds(0, batch=1))
    session.infer()
    feeds = model.feeds(1, batch=1)
    session.prepare(feeds)
    session.upload()
    call = session.timed_call()
    for _ in range(3):
        call()
    assert_equal(source, session.download(), feeds, "fp32")


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_another_batch_on_the_same_session(kit: Kit, model: KitModel) -> None:
    """A dynamic batch may change between `prepare` calls, up and down."""
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model))
    if not kit.backend.capabilities(kit.target.flavour).dynamic_shapes:
        pytest.skip(f"unsupported: {model.name} fp32: dynamic shapes")
    if not isinstance(session.inputs[0].shape[0], str):
        with pytest.raises(ContractError):
            session.prepare(model.feeds(2, batch=4))
        pytest.skip(
            f"unsupported: {model.name} fp32: the session is compiled for one batch, and refuses others"
        )
    for seed, batch in ((2, 1), (3, 4), (4, 2)):
        feeds = model.feeds(seed, batch)
        session.prepare(feeds)
        session.upload()
        session.infer()
        session.synchronize()
        assert_equal(source, session.download(), feeds, "fp32")


def test_two_sessions_at_once(kit: Kit) -> None:
    """Two models, and one model twice, alive and used in turn, without mixing inputs or outputs."""
    cnn, mlp = kit.source(MODELS["cnn"]), kit.source(MODELS["mlp"])
    sources = [cnn, mlp, cnn]
    models = [MODELS["cnn"], MODELS["mlp"], MODELS["cnn"]]
    sessions = [
        kit.open(source, kit.target.variant(model)) for source, model in zip(sources, models, strict=True)
    ]
    feeds = [model.feeds(seed, batch=1) for seed, model in enumerate(models)]
    for session, bound in zip(sessions, feeds, strict=True):
        session.prepare(bound)
        session.upload()
    for session in sessions:
        session.infer()
    for session in reversed(sessions):
        session.synchronize()
    for source, session, bound in zip(sources, sessions, feeds, strict=True):
        assert_equal(source, session.download(), bound, "fp32")
    sessions[0].close()
    sessions[2].infer()
    sessions[2].synchronize()
    assert_equal(cnn, sessions[2].download(), feeds[2], "fp32")


def test_outputs_belong_to_the_caller(kit: Kit) -> None:
    """What `download` gave stays as it was when the session goes on, and the caller's inputs are left alone."""
    model = MODELS["mlp"]
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model))
    first_feeds = model.feeds(0, batch=2)
    before = {name: value.copy() for name, value in first_feeds.items()}
    session.prepare(first_feeds)
    session.infer()
    session.synchronize()
    first = session.download()
    session.prepare(model.feeds(1, batch=2))
    session.infer()
    session.synchronize()
    session.download()
    session.close()
    assert all((first_feeds[name] == value).all() for name, value in before.items())
    assert_equal(source, first, before, "fp32")


def test_bound_inputs_are_not_changed_by_the_caller(kit: Kit) -> None:
    """`prepare` takes the inputs once: writing to the caller's array afterwards does not reach the engine."""
    model = MODELS["mlp"]
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model))
    feeds = model.feeds(0, batch=1)
    kept = {name: value.copy() for name, value in feeds.items()}
    session.prepare(feeds)
    for value in feeds.values():
        value[...] = 7.0
    session.upload()
    session.infer()
    session.synchronize()
    assert_equal(source, session.download(), kept, "fp32")
