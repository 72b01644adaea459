"""Encoders with weights of the user's own: what is read is the model, and what is not one is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suites.encoder_export import export_encoder, find_folder, is_encoder
from suites.encoder_files import check_pooling, read_size, read_weights, translated, weights_file
from suites.errors import ModelError
from tests.suites.encoders import CONFIG, WORDS, by_torchs_own_layers, state, write_encoder

pytestmark = pytest.mark.engine("torch")


def loaded(folder: Path) -> dict[str, Any]:
    path = weights_file(folder)
    return translated(read_weights(path), read_size(folder), path)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = write_encoder(tmp_path_factory.mktemp("encoder") / "small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        answer, _ = export_encoder({"model": f"encoder:{folder}"}, {})
        again, _ = export_encoder({"model": str(folder)}, {})
    assert answer == again
    return answer


def feeds() -> dict[str, Any]:
    random = np.random.default_rng(1)
    mask = (np.arange(11) < np.array([[11], [4], [7]])).astype(np.int64)
    return {
        "input_ids": random.integers(0, len(WORDS), (3, 11)),
        "attention_mask": mask,
        "token_type_ids": random.integers(0, 3, (3, 11)),
    }


@pytest.mark.engine("ort")
def test_the_exported_encoder_computes_what_torchs_own_layers_do(exported: dict[str, Any]) -> None:
    import onnxruntime as ort
    import torch

    from suites.models.sentence_encoder import build

    given = feeds()
    right = by_torchs_own_layers(state(), *given.values())
    seen = given["attention_mask"].astype(bool)
    with torch.no_grad():
        ours = build(Path(exported["weights"]))(
            *(torch.from_numpy(array) for array in given.values())
        ).numpy()
    assert np.abs(ours - right)[seen].max() < 2e-6
    (answer,) = ort.InferenceSession(exported["onnx"]).run(None, given)
    assert np.abs(answer - right)[seen].max() < 5e-6


def test_what_is_told_of_it_is_what_it_is(exported: dict[str, Any]) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from suites.models.sentence_encoder import build

    module = build(Path(exported["weights"]))
    assert exported["parameters"] == sum(parameter.numel() for parameter in module.parameters())
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(*(torch.zeros((1, 24), dtype=torch.int64) for _ in range(3)))
    assert exported["macs"] == counter.get_total_flops() // 2
    assert exported["limits"] == {"sequence": 24}
    assert exported["ranges"]["input_ids"] == [0, len(WORDS)] and exported["ranges"]["token_type_ids"] == [
        0,
        3,
    ]


def test_the_tokenizer_made_of_a_vocabulary_splits_words(exported: dict[str, Any]) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(exported["onnx"]).parent / "tokenizer.json"))
    assert tokenizer.encode("Breads harbour xyz!").tokens == [
        "[CLS]",
        "bread",
        "##s",
        "harbour",
        "[UNK]",
        "[UNK]",
        "[SEP]",
    ]


def test_weights_are_the_same_in_every_form(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    plain = loaded(write_encoder(tmp_path / "plain"))
    older = {
        "bert."
        + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in state().items()
    }
    for other in (
        loaded(write_encoder(tmp_path / "npz", form="npz")),
        loaded(write_encoder(tmp_path / "older", older)),
    ):
        assert other.keys() == plain.keys() and all(
            np.array_equal(other[name], plain[name]) for name in plain
        )
    half = write_encoder(tmp_path / "half")
    save_file(
        {name: torch.from_numpy(array).bfloat16() for name, array in state().items()},
        half / "model.safetensors",
    )
    assert all(
        array.dtype == np.float32 and np.allclose(array, plain[name], rtol=2**-8)
        for name, array in loaded(half).items()
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta'"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"hidden_size": None}, "hidden_size is None"),
        ({"num_hidden_layers": -1}, "num_hidden_layers is -1"),
        ({"vocab_size": 1.5}, "vocab_size is 1.5"),
        ({"vocab_size": 2**40}, "vocab_size is"),
        ({"num_attention_heads": 3}, "cannot be cut into 3 heads"),
        ({"layer_norm_eps": 0.0}, "layer_norm_eps is 0.0"),
    ],
)
def test_a_configuration_of_another_model_is_named(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    folder = write_encoder(tmp_path / "e", {}, form="npz", **config)
    with pytest.raises(ModelError) as caught:
        read_size(folder)
    assert message in caught.value.message and "config.json" in caught.value.message


KEY = "encoder.layer.1.attention.self.key.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({KEY: None}, f"lacks '{KEY}'"),
        ({KEY: np.zeros((16, 8), np.float32)}, f"'{KEY}' has the shape [16, 8], config.json says [16, 16]"),
        ({KEY: np.full((16, 16), np.nan, np.float32)}, f"'{KEY}' holds values that are not finite"),
        (
            {"encoder.layer.2.output.dense.bias": np.zeros(16, np.float32)},
            "which a BERT of 2 layers does not have",
        ),
        ({"embeddings.word_embeddings.weight": np.zeros((30000, 16), np.float32)}, "config.json says"),
    ],
)
@pytest.mark.parametrize("form", ["safetensors", "npz"])
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, change: dict[str, Any], message: str, form: str
) -> None:
    weights = {name: array for name, array in {**state(), **change}.items() if array is not None}
    with pytest.raises(ModelError) as caught:
        loaded(write_encoder(tmp_path / "e", weights, form=form))
    assert message in caught.value.message and str(tmp_path) in caught.value.message


@pytest.mark.parametrize("name", ["model.safetensors", "weights.npz"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff" * 200)
    with pytest.raises(ModelError, match="cannot read weights from"):
        read_weights(tmp_path / name)


def test_pickles_are_refused_and_an_empty_folder_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no weights"):
        weights_file(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle, which is not read"):
        weights_file(tmp_path)


def test_another_pooling_is_refused(tmp_path: Path) -> None:
    check_pooling(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    pooling = tmp_path / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}))
    modules = [
        {"type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling", "Normalize")
    ]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    check_pooling(tmp_path)
    pooling.write_text(json.dumps({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}))
    with pytest.raises(ModelError, match="pooling_mode_cls_token is not supported"):
        check_pooling(tmp_path)
    (tmp_path / "modules.json").write_text(
        json.dumps([*modules, {"type": "sentence_transformers.models.Dense"}])
    )
    with pytest.raises(ModelError, match="the module 'Dense' is not supported"):
        check_pooling(tmp_path)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = write_encoder(tmp_path / "e")
    (folder / "vocab.txt").write_text("\n".join([*WORDS, "more"]) + "\n")
    with pytest.raises(ModelError, match=f"gives tokens up to {len(WORDS)}, the model knows {len(WORDS)}"):
        export_encoder({"model": str(folder)}, {})
    (folder / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(ModelError, match=r"lacks \[UNK\], \[CLS\]"):
        export_encoder({"model": str(folder)}, {})


def test_a_folder_is_found_by_path_package_and_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = write_encoder(tmp_path / "small_bert_package", {}, form="npz")
    (package / "__init__.py").write_text(
        "from pathlib import Path\n"
        "def folder():\n    return Path(__file__).parent\n"
        "def broken():\n    raise OSError('no network')\n"
        "def elsewhere():\n    return '/nowhere'\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for where in (str(package), "small_bert_package", "small_bert_package:folder"):
        assert find_folder(where) == package
    assert is_encoder("encoder:anything") and is_encoder(str(package))
    assert not is_encoder(str(tmp_path)) and not is_encoder("tiny-encoder")
    for where, message in (
        ("small_bert_package:broken", "small_bert_package:broken failed: OSError: no network"),
        ("small_bert_package:gone", "failed: AttributeError"),
        ("small_bert_package:elsewhere", "returned /nowhere, which is no folder"),
        ("no_such_package", "no package of that name"),
        ("./no-such/folder", "there is no folder ./no-such/folder"),
        ("", "there is no folder"),
    ):
        with pytest.raises(ModelError) as caught:
            find_folder(where)
        assert message in caught.value.message and caught.value.hint


def test_the_sizes_are_those_of_the_configuration(tmp_path: Path) -> None:
    size = read_size(write_encoder(tmp_path, {}, form="npz"))
    assert (size.layers, size.width, size.heads, size.inner) == (2, 16, 4, 40)
    assert (size.segments, size.epsilon, size.longest) == (3, 1e-6, CONFIG["max_position_embeddings"])
