"""Task accuracy through real engines: what they lose is what was planted."""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import InputError
from harness.judge.accuracy import REFERENCE, accuracy_fails, judge_accuracies
from harness.plan.contender import parse_contender
from harness.records import VariantRef
from harness.run import accuracy_reference
from harness.run.accuracy import AccuracyPlan, measure_accuracy
from harness.run.accuracy_data import LabelledData, open_labelled
from harness.run.models import resolve_model
from harness.run.observer import Silent
from harness.run.resolved import ResolvedModel
from harness.run.worker import Worker
from suites.shipped import DIGITS_TEST
from tests.run.recording import Recording

pytestmark = [pytest.mark.engine("torch"), pytest.mark.engine("ort")]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this module's own: the models are exported once."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("cache")
        patch.setenv("HARNESS_CACHE", str(home))
        yield home


@pytest.fixture(scope="module")
def digits(cache: Path) -> ResolvedModel:
    return resolve_model("digits-cnn", "digits-cnn", Silent(), threads=1)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The first 100 items of the shipped split, and the labels of ten made wrong."""
    with np.load(DIGITS_TEST) as archive:
        pictures, labels = archive["input"][:100], archive["labels"][:100].copy()
    labels[::10] = (labels[::10] + 1) % 10
    path = tmp_path_factory.mktemp("data") / "some.npz"
    np.savez_compressed(path, input=pictures, labels=labels)
    return str(path)


def plan(model: ResolvedModel, data: str, *contenders: str, batch: int = 32, **other: Any) -> AccuracyPlan:
    refs = tuple(parse_contender(text) for text in contenders)
    return AccuracyPlan(model, refs, VariantRef(batch=batch), data, **other)


def by_torch(pictures: Any) -> Any:
    """What digits-cnn answers, without any of our readers and workers."""
    import torch

    from suites.models.digits_cnn import build
    from suites.shipped import DIGITS_WEIGHTS

    with torch.inference_mode():
        return build(DIGITS_WEIGHTS)(torch.from_numpy(pictures)).numpy()


def damaged(model: ResolvedModel, folder: Path) -> ResolvedModel:
    """The same network with the channels of its last convolution exchanged, as an ONNX file."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load(model.source.onnx_path)
    weights = max(
        (tensor for tensor in proto.graph.initializer if len(tensor.dims) == 4), key=lambda t: t.dims[0]
    )
    array = numpy_helper.to_array(weights)
    weights.CopyFrom(numpy_helper.from_array(np.roll(array, 1, axis=0), weights.name))
    onnx.save(proto, folder / "damaged.onnx")
    return resolve_model(str(folder / "damaged.onnx"), "damaged", Silent(), threads=1)


def test_right_engines_keep_the_accuracy_and_failures_are_told(digits: ResolvedModel) -> None:
    observer = Recording()
    found = measure_accuracy(
        plan(digits, "digits", "ort", "ort@int8", "fake?fault=segfault", deadline_s=60), observer
    )
    assert list(found) == ["ort", "ort@int8", "fake?fault=segfault", REFERENCE]
    with np.load(DIGITS_TEST) as archive:
        right = by_torch(archive["input"]).argmax(axis=1) == archive["labels"]
    ours = found["ort"]
    assert ours.data is not None and ours.answers is not None and ours.reference is not None
    assert (ours.data.items, ours.data.classes, ours.data.batch, len(ours.data.sha256)) == (797, 10, 32, 64)
    assert ours.reference_name.startswith("torch ") and ours.reference_name.endswith(" float32")
    assert [sign == "0" for sign in ours.reference.ranks] == right.tolist()
    assert ours.answers == ours.reference == found[REFERENCE].answers
    verdicts = {judged.contender: judged for judged in judge_accuracies(found)}
    assert verdicts["ort"].verdict == "same"
    assert verdicts["ort"].metrics[0].value == pytest.approx(787 / 797)
    assert found["ort@int8"].status == "unsupported" and found["fake?fault=segfault"].status == "crashed"
    for name in ("ort@int8", "fake?fault=segfault"):
        assert verdicts[name].verdict == "unknown" and accuracy_fails(verdicts[name])
    assert any("ort@int8: no task accuracy" in line for line in observer.said)


@pytest.mark.engine("openvino")
def test_lower_precision_is_measured_against_float32(digits: ResolvedModel, some: str) -> None:
    found = measure_accuracy(plan(digits, some, "openvino@bf16", "torch@bf16"), Silent())
    for judged in judge_accuracies(found, margin=0.1):
        assert judged.verdict == "same"
        # Ten labels are wrong, and both sides answer with the right ones.
        assert judged.metrics[0].value == pytest.approx(0.9, abs=0.03)


def test_a_planted_damage_is_a_loss(digits: ResolvedModel, some: str, tmp_path: Path) -> None:
    broken = damaged(digits, tmp_path)
    found = measure_accuracy(plan(broken, some, "ort", reference=digits), Silent())
    (judged,) = judge_accuracies(found)
    assert found["ort"].reference_name.startswith("torch ")
    assert judged.verdict == "lost" and accuracy_fails(judged)
    assert judged.metrics[0].reference == pytest.approx(0.9, abs=0.03)
    assert "loses" in judged.words and "more than the margin of 1 %" in judged.words


def test_an_engine_that_keeps_old_outputs_loses(digits: ResolvedModel, some: str) -> None:
    found = measure_accuracy(plan(digits, some, "fake?fault=stale"), Silent())
    (judged,) = judge_accuracies(found)
    assert judged.verdict == "lost"


def test_an_engine_without_numbers_is_wrong_everywhere(digits: ResolvedModel, some: str) -> None:
    found = measure_accuracy(plan(digits, some, "fake?fault=nan"), Silent())
    answers = found["fake?fault=nan"].answers
    assert answers is not None and (answers.ranks, answers.not_finite) == ("-" * 100, 100)
    (judged,) = judge_accuracies(found)
    assert judged.verdict == "lost"


def test_answers_do_not_depend_on_the_batch_and_are_kept(
    digits: ResolvedModel, some: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure_accuracy(plan(digits, some, "ort", batch=100), Silent())
    odd = measure_accuracy(plan(digits, some, "ort", batch=7), Silent())
    assert whole["ort"].answers == odd["ort"].answers

    def never(*_: Any) -> Any:
        raise AssertionError("the reference was asked again")

    monkeypatch.setattr(accuracy_reference, "_ask", never)
    again = measure_accuracy(plan(digits, some, "ort", batch=7), Silent())
    assert again[REFERENCE] == odd[REFERENCE] and again["ort"] == odd["ort"]


def test_a_model_that_is_only_onnx_is_answered_for_by_the_evaluator_or_by_ort(
    digits: ResolvedModel, some: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert digits.source.onnx_path is not None
    alone = resolve_model(str(digits.source.onnx_path), "alone", Silent(), threads=1)
    found = measure_accuracy(plan(alone, some, "ort", batch=50), Silent())
    assert "reference evaluator float64" in found["ort"].reference_name
    monkeypatch.setattr(
        accuracy_reference,
        "_ONNX",
        (replace(accuracy_reference._ONNX[0], patience_s=0.0), accuracy_reference._ONNX[1]),
    )
    observer = Recording()
    other = measure_accuracy(plan(alone, some, "ort", batch=25), observer)
    assert "onnxruntime" in other["ort"].reference_name and "not optimised" in other["ort"].reference_name
    assert any("reference evaluator would need about" in line for line in observer.said)
    assert other["ort"].reference == found["ort"].reference


def test_without_any_reference_the_accuracy_is_unknown(
    digits: ResolvedModel, some: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = replace(accuracy_reference._TORCH[0], function="suites.datasets.reference:gone")
    monkeypatch.setattr(accuracy_reference, "_TORCH", (way,))
    found = measure_accuracy(plan(digits, some, "ort"), Silent())
    assert found["ort"].answers is not None and found["ort"].reference is None
    (judged,) = judge_accuracies(found)
    assert judged.verdict == "unknown" and "the reference has no answers: torch: " in judged.words


@pytest.mark.parametrize(
    ("data", "message"),
    [("nowhere.npz", "there are no data at nowhere.npz"), ("bad.npz", "the label of item 2 is 77")],
)
def test_data_that_cannot_be_used_are_named(
    digits: ResolvedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("bad.npz", input=np.zeros((2, 1, 8, 8), np.float32), labels=np.array([1, 77]))
    with pytest.raises(InputError) as caught:
        measure_accuracy(plan(digits, data, "ort"), Silent())
    assert message in caught.value.message and caught.value.hint


def test_data_that_change_while_they_are_read_are_refused(digits: ResolvedModel, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "3").mkdir()
    Image.new("L", (8, 8), 100).save(tmp_path / "3" / "a.png")
    with Worker("data") as worker:
        data: LabelledData = open_labelled(str(tmp_path), digits, VariantRef(), "", worker, 60)
        assert data.digest() == ""
        data.read(0)
        assert len(data.digest()) == 64
        Image.new("L", (8, 8), 101).save(tmp_path / "3" / "a.png")
        with pytest.raises(InputError, match="batch 1 has other bytes"):
            data.read(0)


def test_similarities_are_those_of_the_pipeline(tmp_path: Path) -> None:
    import torch

    from suites.pipelines.catalogue import SAMPLES
    from tests.suites.pipelines.kit import make

    model = resolve_model("tiny-encoder", "tiny-encoder", Silent(), threads=1)
    sentences = (SAMPLES / "bread.txt").read_text().replace("\n", " ").split(". ")[:9]
    rows = [
        {"sentence1": first, "sentence2": second, "score": place}
        for place, (first, second) in enumerate(itertools.pairwise(sentences))
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = measure_accuracy(plan(model, str(path), "ort", batch=3), Silent())
    ours = found["ort"]
    assert ours.data is not None and ours.data.targets == tuple(range(8)) and ours.task == "similarity"
    assert "vocabulary.json" in ours.data.processing
    module_name, _, attribute = str(model.source.torch_factory).partition(":")
    module = getattr(importlib.import_module(module_name), attribute)(model.source.weights_path)
    pipeline = make("embed", "tokenizers", "tiny-encoder")
    feeds = pipeline.preprocess(
        [text.encode() for row in rows for text in (row["sentence1"], row["sentence2"])]
    )
    with torch.inference_mode():
        hidden = module(*(torch.from_numpy(array) for array in feeds.values())).numpy()
    vectors = np.array(pipeline.postprocess({"last_hidden_state": hidden}))
    expected = (vectors[0::2] * vectors[1::2]).sum(axis=1)
    assert ours.reference is not None and ours.answers is not None
    assert np.allclose(np.array(ours.reference.similarities, float), expected, atol=1e-5)
    assert np.allclose(np.array(ours.answers.similarities, float), expected, atol=1e-5)


def test_an_encoder_given_by_its_folder_is_resolved_and_measured(tmp_path: Path) -> None:
    from tests.suites.encoders import WORDS, write_encoder

    folder = write_encoder(tmp_path / "small")
    model = resolve_model(f"encoder:{folder}", "small", Silent(), threads=1)
    assert (model.limits, model.ranges["input_ids"]) == ({"sequence": 24}, (0, len(WORDS)))
    letters = [word for word in WORDS if len(word) == 1]
    rows = [
        {
            "sentence1": " ".join(letters[:8]),
            "sentence2": " ".join(letters[place : place + 8]),
            "score": 8 - place,
        }
        for place in range(8)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = measure_accuracy(plan(model, str(path), "ort", batch=4), Silent())
    ours = found["ort"]
    assert ours.answers is not None and ours.reference is not None and ours.data is not None
    assert ours.reference.similarities[0] == pytest.approx(1.0)
    assert "tokenizer.json, 24 tokens" in ours.data.processing
    assert np.allclose(
        np.array(ours.answers.similarities, float), np.array(ours.reference.similarities, float), atol=1e-5
    )


@pytest.mark.parametrize("where", ["./nowhere", "no_such_package"])
def test_an_encoder_that_is_not_there_is_named(where: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve_model(f"encoder:{where}", "x", Silent(), threads=1)
    assert f"--model encoder:{where}" in caught.value.message and "there is no folder" in caught.value.message
