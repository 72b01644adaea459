"""Embedding: tokens against a longest-match search written out, the vector against a loop."""

from __future__ import annotations

import json
import math
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suites.catalogue import BUILTINS
from suites.errors import ModelError
from suites.pipelines.catalogue import pipeline
from suites.pipelines.embed import VOCABULARY
from suites.pipelines.pipeline import PipelineError
from tests.suites.pipelines.kit import make

ENTRIES: dict[str, int] = json.loads(VOCABULARY.read_text())["model"]["vocab"]
TEXTS = {path.stem: path.read_bytes() for path in pipeline("embed").samples}
ODD = "Ünïcode — “quotes”, 3.14 & C++;\ttabs\n\nnew-lines [SEP] 漢字 🙂 don't " + "long" * 40


def words(text: str) -> list[str]:
    """Lower case without accents, split at blanks, each mark and each Chinese character by itself."""
    plain = unicodedata.normalize("NFD", text.lower())
    found = [""]
    for letter in plain:
        kind = unicodedata.category(letter)
        if kind == "Mn":
            continue
        mark = kind.startswith("P") or (ord(letter) < 128 and not letter.isalnum() and not letter.isspace())
        if letter.isspace() or kind == "Zs":
            found.append("")
        elif mark or "\u4e00" <= letter <= "\u9fff":
            found += [letter, ""]
        else:
            found[-1] += letter
    return [word for word in found if word]


def pieces(word: str) -> list[int]:
    """The longest entry that fits, again and again; a word that cannot be made whole is unknown."""
    ids, rest = [], word
    while rest:
        for end in range(len(rest), 0, -1):
            piece = ("##" if ids else "") + rest[:end]
            if piece in ENTRIES:
                ids.append(ENTRIES[piece])
                rest = rest[end:]
                break
        else:
            return [ENTRIES["[UNK]"]]
    return ids if len(word) <= 100 else [ENTRIES["[UNK]"]]


def by_hand(text: str, sequence: int) -> tuple[list[int], int]:
    """Padded ids, and how many are tokens."""
    inner = [index for word in words(text) for index in pieces(word)][: sequence - 2]
    ids = [ENTRIES["[CLS]"], *inner, ENTRIES["[SEP]"]]
    return ids + [ENTRIES["[PAD]"]] * (sequence - len(ids)), len(ids)


@pytest.mark.parametrize("sequence", [2, 16, 128])
@pytest.mark.parametrize("text", [*(data.decode() for data in TEXTS.values()), ODD, "", " \n", "a"])
def test_tokens_are_the_longest_that_match(text: str, sequence: int) -> None:
    feeds = make("embed", "tokenizers", "tiny-encoder", sequence=sequence).preprocess([text.encode()])
    ids, count = by_hand(text, sequence)
    assert feeds["input_ids"].tolist() == [ids]
    assert feeds["attention_mask"].tolist() == [[1] * count + [0] * (sequence - count)]
    assert feeds["token_type_ids"].tolist() == [[0] * sequence]
    assert {array.dtype.name for array in feeds.values()} == {"int64"}


def test_a_batch_holds_cut_and_padded_texts() -> None:
    feeds = make("embed", "tokenizers", "bert-base").preprocess(list(TEXTS.values()))
    counts = feeds["attention_mask"].sum(axis=1)
    assert feeds["input_ids"].shape == (3, 128)
    assert counts.max() == 128 > counts.min() > 20


def test_the_vocabulary_is_within_every_encoders() -> None:
    assert sorted(ENTRIES.values()) == list(range(len(ENTRIES)))
    assert ENTRIES["[PAD]"] == 0
    for model in BUILTINS.values():
        if model.family == "encoder":
            assert len(ENTRIES) <= model.value_range["input_ids"][1]


def test_the_shipped_texts_are_words_and_pieces_and_known() -> None:
    ids = [index for text in TEXTS.values() for word in words(text.decode()) for index in pieces(word)]
    names = {index: name for name, index in ENTRIES.items()}
    continued = sum(names[index].startswith("##") for index in ids)
    assert ENTRIES["[UNK]"] not in ids
    assert 0.2 < continued / len(ids) < 0.6


def test_training_again_gives_the_same_vocabulary(tmp_path: Path) -> None:
    from suites.pipelines.train_vocabulary import train

    for name in ("one", "two"):
        assert train(tmp_path / name) == len(ENTRIES)
        assert (tmp_path / name).read_bytes() == VOCABULARY.read_bytes()


def test_the_vector_is_the_mean_over_the_tokens_at_unit_length() -> None:
    chosen = make("embed", "tokenizers", "tiny-encoder", sequence=100)
    feeds = chosen.preprocess([TEXTS["clocks"], TEXTS["bread"]])
    hidden = np.random.default_rng(0).standard_normal((2, 100, 64)).astype(np.float32)
    answer = chosen.postprocess({"last_hidden_state": hidden})
    for row, mask, found in zip(hidden.tolist(), feeds["attention_mask"].tolist(), answer, strict=True):
        mean = [0.0] * 64
        for place in range(100):
            if mask[place]:
                mean = [total + value / sum(mask) for total, value in zip(mean, row[place], strict=True)]
        length = math.sqrt(sum(value * value for value in mean))
        assert found == pytest.approx([value / length for value in mean], abs=1e-6)
    hidden[0, feeds["attention_mask"][0] == 0] = 1e6
    assert chosen.postprocess({"last_hidden_state": hidden})[0] == answer[0]


@pytest.mark.engine("torch")
def test_vectors_of_a_real_encoder_tell_texts_apart() -> None:
    import torch

    from suites.catalogue import builtin
    from tests.suites.conftest import conditioned

    chosen = make("embed", "tokenizers", "tiny-encoder", sequence=64)
    feeds = chosen.preprocess([*TEXTS.values(), TEXTS["bread"]])
    module = conditioned(builtin("tiny-encoder"))
    with torch.no_grad():
        hidden = module(*(torch.from_numpy(array) for array in feeds.values())).numpy()
    likeness = np.array(chosen.postprocess({"last_hidden_state": hidden}))
    likeness = likeness @ likeness.T
    assert np.diag(likeness) == pytest.approx(np.ones(4), abs=1e-5)
    assert likeness[0, 3] == pytest.approx(1, abs=1e-5)
    assert likeness[np.triu_indices(3, 1)].max() < 0.99


def test_a_text_that_is_not_utf8_is_named() -> None:
    chosen = make("embed", "tokenizers", "tiny-encoder")
    with pytest.raises(PipelineError, match="text 2 of 2 is not UTF-8: byte 3 is 0xe9") as caught:
        chosen.preprocess([b"good", "caf\u00e9".encode("latin-1")])
    assert caught.value.hint == "save it as UTF-8"


def test_a_text_that_is_too_long_is_named() -> None:
    chosen = make("embed", "tokenizers", "tiny-encoder")
    with pytest.raises(PipelineError, match=r"text 1 of 1 has 1,000,001 bytes"):
        chosen.preprocess([b"a" * 1_000_001])
    assert chosen.preprocess([b"a " * 500_000])["attention_mask"].all()


def test_a_sequence_without_a_size_is_refused() -> None:
    with pytest.raises(
        ModelError, match="needs a size of 2 or more for the dimension 'sequence', not 1"
    ) as caught:
        make("embed", "tokenizers", "tiny-encoder", sequence=1)
    assert caught.value.hint == "pass --dim sequence=SIZE"


def hidden_of(value: Any, shape: tuple[int, ...] = (2, 32, 64)) -> dict[str, Any]:
    return {"last_hidden_state": np.full(shape, value, np.float32)}


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "'last_hidden_state' is missing"),
        (hidden_of(np.nan), "not finite, first for item 1 of 2"),
        (hidden_of(1, (1, 32, 64)), r"shape \[1, 32, 64\], expected \[2, 32, 64\]"),
        (hidden_of(1, (2, 32)), r"shape \[2, 32\]"),
        (hidden_of(0), "the vector of text 1 of 2 is zero"),
    ],
    ids=["missing", "nan", "batch", "rank", "zero"],
)
def test_outputs_that_do_not_fit(outputs: dict[str, Any], message: str) -> None:
    chosen = make("embed", "tokenizers", "tiny-encoder")
    chosen.preprocess([b"one", b"two"])
    with pytest.raises(PipelineError, match=message) as caught:
        chosen.postprocess(outputs)
    assert caught.value.hint
