"""Texts in JSON lines, and how data are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.contract import TensorSpec
from suites.catalogue import builtin
from suites.datasets.lines import TextLines, vector_output
from suites.datasets.opening import find_data, open_data
from suites.datasets.pipelines import fitting_pipeline
from suites.errors import ModelError
from suites.shipped import DIGITS_TEST
from tests.suites.datasets.kit import asked, write_lines
from tests.suites.pipelines.kit import make

PAIRS = [
    {"sentence1": "Bread rises.", "sentence2": "Bread bakes in the oven, slowly.", "score": 3.5},
    {"sentence1": "A clock", "sentence2": "Die Uhr: größer", "score": 0},
    {"sentence1": "The harbour at night", "sentence2": "Ships", "score": 1.25},
]
CLASSIFIER = replace(asked("tiny-encoder"), outputs=(TensorSpec("logits", "float32", ("batch", 4)),))


def test_both_texts_of_a_pair_follow_each_other(tmp_path: Path) -> None:
    data = TextLines(write_lines(tmp_path / "p.jsonl", PAIRS), asked("tiny-encoder", batch=4))
    assert (data.task, data.rows, data.classes) == ("similarity", 6, 0)
    assert data.targets.tolist() == [3.5, 0.0, 1.25]
    texts = [row[key].encode() for row in PAIRS for key in ("sentence1", "sentence2")]
    pipeline = make("embed", "tokenizers", "tiny-encoder")
    read = [data.batch(index) for index in (0, 1)]
    for name, expected in pipeline.preprocess(texts).items():
        got = np.concatenate([feeds[name] for feeds in read])
        assert np.array_equal(got[:6], expected) and np.array_equal(got[7], expected[5])
        assert got.dtype == expected.dtype


def test_texts_with_labels(tmp_path: Path) -> None:
    rows = ['{"text": "one", "label": 3}', "", '{"text": "two", "label": 0}']
    data = open_data(write_lines(tmp_path / "t.jsonl", rows), CLASSIFIER)
    assert (data.task, data.rows, data.classes, data.targets.tolist()) == ("classification", 2, 4, [3, 0])
    first = data.batch(0)["input_ids"]
    assert not np.array_equal(first[0], first[1]) and np.array_equal(first[1], first[3])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["{"], "line 1: "),
        ([PAIRS[0], "[1]"], "line 2: it is list, no object"),
        ([PAIRS[0], {"sentence1": "a", "score": 1}], "line 2: 'sentence2' is None"),
        ([PAIRS[0], {**PAIRS[1], "sentence2": "  "}], "line 2: 'sentence2' is '  '"),
        ([PAIRS[0], {**PAIRS[1], "score": "4"}], "line 2: 'score' is '4'"),
        ([PAIRS[0], '{"sentence1": "a", "sentence2": "b", "score": NaN}'], "line 2: 'score' is nan"),
        ([{"file": "a.jpg", "boxes": []}], "line 1: it holds boxes"),
        ([{"text": "a", "label": -1}], "line 1: 'label' is -1"),
        ([{"text": "a", "label": True}], "line 1: 'label' is True"),
        ([{"text": "a", "label": "cat"}], "line 1: 'label' is 'cat'"),
        ([], "holds no items"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, rows: list[object], message: str) -> None:
    path = write_lines(tmp_path / "p.jsonl", rows)
    with pytest.raises(ModelError) as caught:
        TextLines(path, asked("tiny-encoder"))
    assert message in caught.value.message and str(path) in caught.value.message


def test_a_label_beyond_the_models_classes_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.jsonl", [{"text": "a", "label": 3}, {"text": "b", "label": 4}])
    with pytest.raises(ModelError, match="item 2: label is 4"):
        TextLines(path, CLASSIFIER)


def test_texts_need_a_model_that_takes_tokens(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'digits-cnn' takes input float32"):
        TextLines(write_lines(tmp_path / "p.jsonl", PAIRS), asked())


def test_labels_need_classes_and_pairs_need_vectors(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t.jsonl", [{"text": "a", "label": 0}])
    with pytest.raises(ModelError, match=r"labels need a model with one output \[batch, classes\]"):
        TextLines(path, asked("tiny-encoder"))
    assert vector_output(asked("tiny-encoder")) == ("last_hidden_state", True)
    assert vector_output(CLASSIFIER) == ("logits", False)
    two = (*CLASSIFIER.outputs, TensorSpec("pooled", "float32", ("batch", 64)))
    with pytest.raises(ModelError, match="pairs of texts need a model with one output"):
        vector_output(replace(CLASSIFIER, outputs=two))


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "p.jsonl", PAIRS)
    with pytest.raises(ModelError, match=r"tokenizer\.json cannot be read as a tokenizer"):
        TextLines(path, asked("tiny-encoder", vocabulary=tmp_path / "tokenizer.json"))


def test_shipped_data_are_found_by_name_and_paths_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_data("digits") == DIGITS_TEST
    (tmp_path / "digits").mkdir()
    assert find_data("digits") == Path("digits")
    with pytest.raises(ModelError) as caught:
        find_data("digts")
    assert "did you mean 'digits'?" in caught.value.hint


def test_data_in_another_form_and_detectors_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.parquet").write_text("x")
    with pytest.raises(ModelError, match="in no form that is known"):
        open_data(tmp_path / "d.parquet", asked())
    with pytest.raises(ModelError, match="mean average precision"):
        open_data(tmp_path, asked("tiny-detector"))


@pytest.mark.parametrize(
    ("model", "pipeline"),
    [("tiny-cnn", "classify"), ("tiny-encoder", "embed"), ("digits-cnn", ""), ("tiny-detector", "")],
)
def test_a_pipeline_is_guessed_where_the_signature_tells(model: str, pipeline: str) -> None:
    signature: Any = builtin(model)
    assert fitting_pipeline(signature.inputs, signature.outputs) == pipeline
