"""The kit: signatures, threads, and errors by their types."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from backends.conformance.models import MODELS, KitModel
from backends.conformance.plugin import Kit
from backends.contract import PRECISIONS, ContractError, StateError, UnsupportedError, Variant
from backends.graph_facts import check_graph_facts, parameters_of
from backends.onnx_facts import onnx_facts

MLP = MODELS["mlp"]


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_signature_is_the_declared_one(kit: Kit, model: KitModel) -> None:
    """Names, order, dtypes and ranks of inputs and outputs; a fixed size is the declared one."""
    session = kit.open(kit.source(model), kit.target.variant(model))
    for found, declared in ((session.inputs, model.inputs), (session.outputs, model.outputs)):
        assert [(spec.name, spec.dtype, len(spec.shape)) for spec in found] == [
            (spec.name, spec.dtype, len(spec.shape)) for spec in declared
        ]
        for spec, right in zip(found, declared, strict=True):
            for size, asked in zip(spec.shape, right.shape, strict=True):
                assert size == asked or isinstance(size, str) or isinstance(asked, str)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_honoured(kit: Kit, threads: int) -> None:
    """The engine itself reports the threads that were asked for."""
    session = kit.open(kit.source(MLP), kit.target.variant(MLP, threads=threads))
    session.prepare(MLP.feeds(0, batch=1))
    session.infer()
    session.synchronize()
    found = session.effective()["threads"]
    if found is None:
        pytest.skip("unsupported: mlp fp32: the device has no thread setting")
    assert found == threads


def test_effective_is_complete_and_plain(kit: Kit, precision: str) -> None:
    """`effective` can be written as JSON, and its precision is the one asked for."""
    session = kit.open(kit.source(MLP), kit.target.variant(MLP, precision=precision))
    session.prepare(MLP.feeds(0, batch=1))
    session.infer()
    session.synchronize()
    found = session.effective()
    json.dumps(found, allow_nan=False)
    assert found["precision"] == precision
    assert isinstance(found["device"], str)
    assert found["device"]


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_graph_facts_are_sane(kit: Kit, model: KitModel) -> None:
    """Where an adapter tells its graph: whole counts, operators, every weight that the model cannot do without."""
    source = kit.source(model)
    session = kit.open(source, kit.target.variant(model))
    session.prepare(model.feeds(0, batch=1))
    session.infer()
    session.synchronize()
    facts = session.graph()
    if facts is None:
        pytest.skip(f"unsupported: {model.name} fp32: the adapter does not tell its graph")
    check_graph_facts(facts, kit.target.backend)
    json.dumps(facts.to_json(), allow_nan=False)
    assert facts.origin
    assert sum(facts.operators.values()) > 0 or facts.notes
    assert set(facts.casts) <= {spec.name for spec in model.inputs}
    before = onnx_facts(onnx.load_model(str(source.onnx_path)), "the model").parameters
    for known in (facts.parameters, parameters_of(facts.stored)):
        # Vectors are folded into matrices, which no engine can do without; layouts pad.
        assert known is None or before is None or 0.5 * before <= known <= 4 * before
    # Asking disturbs nothing: the session still gives the same outputs.
    again = session.download()
    session.infer()
    session.synchronize()
    for name, value in session.download().items():
        np.testing.assert_allclose(value, again[name], rtol=1e-5, atol=1e-5)


def test_artefact_says_what_its_size_is(kit: Kit) -> None:
    """A size, or a note why there is none."""
    source, variant = kit.source(MLP), kit.target.variant(MLP)
    try:
        artefact = kit.backend.build(source, variant, kit.fresh_folder())
    except UnsupportedError as error:
        pytest.skip(f"unsupported: mlp fp32: {error}")
    assert artefact.note
    assert artefact.bytes is None or artefact.bytes > 0
    assert artefact.path is None or artefact.path.exists()


def test_unknown_option_is_unsupported(kit: Kit) -> None:
    """The message names the option."""
    variant = replace(kit.target.variant(MLP), options={"no_such_option": "1"})
    with pytest.raises(UnsupportedError, match="no_such_option"):
        kit.backend.build(kit.source(MLP), variant, kit.fresh_folder())


def test_every_option_refuses_nonsense(kit: Kit) -> None:
    """A value that no option can have is refused when building or loading; the message names option and value."""
    source = kit.source(MLP)
    for option in kit.backend.capabilities(kit.target.flavour).options:
        variant = replace(kit.target.variant(MLP), options={option: "no such value"})
        with pytest.raises(UnsupportedError, match=rf"{option}.*no such value"):
            kit.backend.load(source, kit.backend.build(source, variant, kit.fresh_folder()), variant)


def test_undeclared_precision_is_unsupported(kit: Kit) -> None:
    """Every precision outside the declared ones is refused, by name."""
    declared = kit.backend.capabilities(kit.target.flavour).precisions
    assert set(declared) <= set(PRECISIONS)
    source = kit.source(MLP)
    for precision in (*(p for p in PRECISIONS if p not in declared), "fp99"):
        with pytest.raises(UnsupportedError, match=precision):
            kit.backend.build(source, kit.target.variant(MLP, precision=precision), kit.fresh_folder())


def test_unknown_flavour_is_unsupported(kit: Kit) -> None:
    """The message names the flavour."""
    with pytest.raises(UnsupportedError, match="nonesuch"):
        kit.backend.build(kit.source(MLP), Variant(flavour="nonesuch"), kit.fresh_folder())


def test_source_of_the_wrong_kind_is_unsupported(kit: Kit) -> None:
    """A model without any form that the adapter takes is refused."""
    source = replace(kit.source(MLP), onnx_path=None, torch_factory=None)
    with pytest.raises(UnsupportedError, match="mlp"):
        kit.backend.build(source, kit.target.variant(MLP), kit.fresh_folder())


def test_wrong_inputs_break_the_contract(kit: Kit) -> None:
    """Name, dtype, rank and fixed size of every input are checked before the engine sees them."""
    session = kit.open(kit.source(MLP), kit.target.variant(MLP))
    good = MLP.feeds(0, batch=1)
    wrong = {
        "middle": good | {"middle": good["left"]},
        "missing": {"left": good["left"]},
        "float64": good | {"left": good["left"].astype(np.float64)},
        "rank": good | {"left": good["left"][0]},
        "axis": good | {"left": good["left"][:, :5]},
    }
    for word, feeds in wrong.items():
        with pytest.raises(ContractError, match=word):
            session.prepare(feeds)


def test_order_of_calls_is_enforced(kit: Kit) -> None:
    """Steps before `prepare`, `download` before `infer`, and anything after `close` raise StateError."""
    session = kit.open(kit.source(MLP), kit.target.variant(MLP))
    for step in (session.upload, session.infer, session.synchronize, session.download, session.timed_call):
        with pytest.raises(StateError):
            step()
    session.prepare(MLP.feeds(0, batch=1))
    with pytest.raises(StateError):
        session.download()
    session.infer()
    session.synchronize()
    session.download()
    session.prepare(MLP.feeds(1, batch=1))
    with pytest.raises(StateError):
        session.download()
    session.close()
    session.close()
    for step in (session.upload, session.infer, session.synchronize, session.download, session.timed_call):
        with pytest.raises(StateError):
            step()
    with pytest.raises(StateError):
        session.prepare(MLP.feeds(0, batch=1))


def test_probe_of_a_present_engine(kit: Kit) -> None:
    """Version, devices and the flavour under test are all there."""
    probe = kit.backend.probe()
    assert probe.version
    assert probe.devices
    assert probe.install
    assert kit.target.flavour in probe.flavours


def test_stages_are_declared(kit: Kit) -> None:
    """Upload, infer and download each are separate, or say why they are not."""
    stages = kit.backend.capabilities(kit.target.flavour).stages
    assert {"upload", "infer", "download"} <= set(stages)
