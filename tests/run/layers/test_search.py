"""Where an error begins: planted in real engines' models, and in a simulated engine that fuses."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.contract import Array
from harness.judge.parity import budgets
from harness.records.layers import LayerSearch
from harness.run.layers import engine, search, search_layers, values
from harness.run.layers.engine import Fusions
from harness.run.layers.plan import Workshop
from harness.run.layers.right_values import RightValues
from harness.run.observer import Silent
from tests.run.layers.models import kit, plan, planted, set_constant
from tests.run.layers.simulated import Fault, Simulated


def corrupt(value: Array) -> Array:
    value.flat[5] += 3.0
    return value


def no_fault(_name: str, value: Array, _handed: frozenset[str]) -> Array:
    return value


@pytest.mark.engine("ort")
@pytest.mark.engine("openvino")
@pytest.mark.parametrize("contender", ["ort", "openvino", "openvino@bf16"])
def test_a_corrupted_weight_is_found_cut_out_and_kept(contender: str, tmp_path: Path) -> None:
    healthy = kit("cnn", tmp_path)
    faulty = planted(healthy, tmp_path, set_constant("second.weight", corrupt))
    folder = tmp_path / "again"
    found = search_layers(plan("cnn", contender, faulty, healthy, folder), Silent())
    assert found.status == "found", found.reason
    (place,) = found.places
    assert (place.tensor, place.operator, place.verdict) == ("c2", "Conv", "operator")
    (difference,) = place.differences
    assert difference.what == "constant second.weight"
    assert found.subgraph is not None
    assert found.subgraph.status == "fails"
    assert found.subgraph.nodes == ("c2",)
    assert found.subgraph.inputs == ("r1",)
    assert (folder / "model.onnx").exists()
    assert found.tensor("c2").status == "beyond"  # type: ignore[union-attr]
    assert found.memory_bytes is not None
    assert LayerSearch.model_validate_json(found.model_dump_json()) == found


@pytest.mark.engine("torch")
def test_torch_hands_out_its_own_tensors(tmp_path: Path) -> None:
    from harness.run.models import resolve_model

    model = resolve_model("tiny-cnn", "tiny-cnn", Silent(), threads=1)
    weight = "block0.body.second.conv.weight"
    reference = planted(model, tmp_path, set_constant(weight, corrupt))
    rng = np.random.default_rng(0)
    feeds = {s.name: rng.standard_normal(s.concrete(2)).astype(np.float32) for s in model.source.inputs}
    folder = tmp_path / "again"
    found = search_layers(plan("cnn", "torch", model, reference, folder, feeds), Silent())
    assert found.status == "found", found.reason
    assert [place.operator for place in found.places] == ["Conv"]
    assert found.places[0].differences[0].what == f"constant {weight}"
    assert found.subgraph is not None
    assert found.subgraph.status == "fails"
    assert len(found.subgraph.nodes) == 1
    assert {path.name for path in folder.iterdir()} >= {"operators.pt", "reproduce.py", "inputs.npz"}


@pytest.mark.engine("ort")
@pytest.mark.engine("openvino")
@pytest.mark.parametrize(
    ("kind", "contender"), [("branch", "ort"), ("lstm", "ort"), ("transformer", "openvino")]
)
def test_a_healthy_engine_raises_no_alarm(kind: str, contender: str, tmp_path: Path) -> None:
    found = search_layers(plan(kind, contender, kit(kind, tmp_path)), Silent())
    assert found.status == "clean", found.reason
    assert found.places == ()
    assert found.subgraph is None
    assert [tensor.name for tensor in found.tensors if tensor.status == "beyond"] == []
    assert [tensor.name for tensor in found.tensors if tensor.status == "within"]


def simulate(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fault: Fault,
    fusions: Fusions,
    kind: str = "cnn",
    **more: Any,
) -> tuple[LayerSearch, Simulated]:
    made: list[Simulated] = []

    def give(workshop: Workshop, _graphs: values.Graphs, right: RightValues) -> Simulated:
        made.append(Simulated(workshop, fault, fusions, right.names))
        return made[0]

    monkeypatch.setattr(search, "engine_values", give)
    return search_layers(plan(kind, "ort", kit(kind, tmp_path), **more), Silent()), made[0]


FUSED = Fusions(("r1", "r2", "flat", "logits"), {"r1": ("c1", "n1"), "r2": ("c2", "sum"), "flat": ("pool",)})


def test_an_operator_inside_a_fused_layer_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fault(name: str, value: Array, _handed: frozenset[str]) -> Array:
        return value * np.float32(1.001) if name == "c2" else value

    found, simulated = simulate(monkeypatch, tmp_path, fault, FUSED)
    assert simulated.asked[0] == ("r1", "r2", "flat")  # what is materialised, and nothing else
    assert len(simulated.asked) == 2
    assert not {"c1", "n1", "pool"} & set(simulated.asked[1])  # fusions elsewhere stay
    (place,) = found.places
    assert (place.tensor, place.verdict) == ("c2", "operator")
    assert found.tensor("c2").seen == "broken"  # type: ignore[union-attr]
    assert found.tensor("r2").seen == "marked"  # type: ignore[union-attr]
    assert found.tensor("n1").status == "unseen"  # type: ignore[union-attr]
    assert found.subgraph is not None
    assert found.subgraph.nodes == ("c2",)


def test_a_fault_of_the_fusion_itself_is_named_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fault(name: str, value: Array, handed: frozenset[str]) -> Array:
        fused = name == "r2" and not {"c2", "sum"} & handed
        return value + np.float32(0.01) if fused else value

    found, _ = simulate(monkeypatch, tmp_path, fault, FUSED)
    (place,) = found.places
    assert (place.tensor, place.verdict, place.group) == ("r2", "fusion", ("c2", "sum", "r2"))
    assert "c2, sum must be handed out" in place.words
    assert any("marking tensors changed output logits" in note for note in found.notes)
    assert found.subgraph is not None
    assert found.subgraph.status == "fails"
    # The simulated engine is wrong at r2 whatever comes before it, as long as nothing is handed out.
    assert found.subgraph.nodes == ("r2",)


def test_without_the_engines_word_the_place_is_narrowed_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(search, "COARSE", 3)
    monkeypatch.setattr(search, "CLOSE", 1)

    def fault(name: str, value: Array, _handed: frozenset[str]) -> Array:
        return value * np.float32(1.001) if name == "n1" else value

    found, simulated = simulate(monkeypatch, tmp_path, fault, Fusions(unknown="it says nothing"))
    assert [place.tensor for place in found.places] == ["n1"]
    assert len(simulated.asked) > 2
    assert any("it says nothing" in note for note in found.notes)


def cancel(graph: Any) -> None:
    """10^4 is added before the pooled features are used, and taken away again."""
    from onnx import helper, numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.float32(1e4), "far"))
    graph.initializer.append(numpy_helper.from_array(np.float32(-1e4), "back"))
    pool = next(node for node in graph.node if node.output[0] == "pool")
    pool.output[0] = "mean"
    place = list(graph.node).index(pool)
    graph.node.insert(place + 1, helper.make_node("Add", ["mean", "far"], ["high"]))
    graph.node.insert(place + 2, helper.make_node("Add", ["high", "back"], ["pool"]))


def test_an_error_that_is_only_amplified_is_not_blamed_on_the_amplifier(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An error within the budget of numbers of 10^4 is beyond that of what is left when 10^4 is taken away."""
    healthy = kit("cnn", tmp_path)

    def give(workshop: Workshop, _graphs: values.Graphs, right: RightValues) -> Simulated:
        def far(name: str, value: Array, _handed: frozenset[str]) -> Array:
            return (
                value + np.float32(0.8 * budgets("fp32", 1.0)[0] * 2.0**-24 * 1e4)
                if name == "high"
                else value
            )

        return Simulated(workshop, far, Fusions(unknown="nothing"), right.names)

    monkeypatch.setattr(search, "engine_values", give)
    model = planted(healthy, tmp_path, cancel)
    found = search_layers(plan("cnn", "ort", model), Silent())
    (place,) = found.places
    assert found.tensor("high").status == "within"  # type: ignore[union-attr]
    assert (place.tensor, place.verdict) == ("pool", "amplified")
    assert "amplifies" in place.words


@pytest.mark.engine("ort")
def test_a_change_that_is_only_amplified_is_still_told(tmp_path: Path) -> None:
    """The changed constant leaves no budget itself: five of its steps in 10^4."""
    twin = planted(kit("cnn", tmp_path), tmp_path, cancel)
    (tmp_path / "other").mkdir()
    step = np.spacing(np.float32(1e4))
    model = planted(twin, tmp_path / "other", set_constant("far", lambda far: far + 5 * step))
    found = search_layers(plan("cnn", "ort", model, twin), Silent())
    (place,) = found.places
    assert found.tensor("high").status != "beyond"  # type: ignore[union-attr]
    assert (place.tensor, place.verdict) == ("pool", "amplified")
    (difference,) = place.differences
    assert difference.what == "before it, constant far of Add high"
    assert difference.what in place.words


def test_an_inner_tensor_beyond_its_budget_is_a_note_where_the_outputs_are_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A pooling of 64 numbers averages what a single one of them has too much of."""

    def fault(name: str, value: Array, handed: frozenset[str]) -> Array:
        if name == "r2":
            value = value.copy()
            value[0, 0, 0, 0] += 2e-5 * float(np.sqrt(np.mean(value**2)))
        return value

    found, _ = simulate(monkeypatch, tmp_path, fault, FUSED)
    assert found.status == "clean"
    assert found.places == ()
    assert found.tensor("r2").status == "beyond"  # type: ignore[union-attr]
    assert any("r2 (Relu) is beyond its budget" in note for note in found.notes)


def test_tensors_come_in_batches_of_bounded_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, simulated = simulate(monkeypatch, tmp_path, no_fault, FUSED, memory_limit=16 * 4096)
    assert found.status == "clean"
    assert [name for turn in simulated.asked for name in turn] == ["r1", "r2", "flat"]
    assert len(simulated.asked) == 3


def test_an_engine_that_is_not_here_is_a_status(tmp_path: Path) -> None:
    found = search_layers(plan("cnn", "ort@bf16", kit("cnn", tmp_path)), Silent())
    assert found.status == "failed"
    assert found.failure is not None
    assert "bf16" in found.reason


def test_a_full_disk_is_a_status_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(_path: object, _value: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("harness.run.layers.sightings.np.save", full)
    found, _ = simulate(monkeypatch, tmp_path, no_fault, FUSED)
    assert found.status == "failed"
    assert "TMPDIR" in found.reason


def test_what_the_profile_says_of_fusions() -> None:
    layers: list[dict[str, Any]] = [
        {"calls": 4, "outputs": ["b"], "fused": ["a"]},
        {"calls": 0, "outputs": ["c"], "fused": []},
        {"calls": 4, "outputs": [], "fused": []},
        {"calls": 4, "outputs": ["b"], "fused": []},
    ]
    told = engine.fusions_of(layers)
    assert told.materialised == ("b",)
    assert told.fused == {"b": ("a",)}
    assert engine.fusions_of(layers[1:3]).unknown
