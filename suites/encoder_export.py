"""Text encoders with weights of the user's own: found by folder or package, exported to ONNX once, kept in the cache.

`--model encoder:WHERE`, where WHERE is a folder (see `suites.encoder_files`), an installed package that holds one, or
`package.module:function`, which returns a folder's path. `export_encoder` is a job: it imports torch, and the package.
"""

from __future__ import annotations

import importlib
import importlib.resources
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array, TensorSpec
from suites import cache
from suites.catalogue import BuiltinModel
from suites.datasets.vocabulary import TOKENIZER
from suites.encoder_files import CONFIG, check_pooling, read_size, read_weights, translated, weights_file
from suites.errors import ModelError
from suites.export import FORMAT, ONNX_FILE, OPSET, WEIGHTS_FILE, check_export, exporter_versions, write_onnx
from suites.models.encoder import Size
from suites.models.sentence_encoder import SIZE_FILE
from suites.pipelines.tokens import INPUTS

PREFIX = "encoder:"
REVISION = 1
"""Raised when the same folder gives another entry."""
VOCABULARY = "vocab.txt"
TOKENIZER_CONFIG = "tokenizer_config.json"
USUAL_LENGTH = 128
_FACTORY = "suites.models.sentence_encoder:build"


def is_encoder(model: str) -> bool:
    """Whether `--model` names an encoder with weights: by its prefix, or a folder with a configuration."""
    return model.startswith(PREFIX) or (Path(model) / CONFIG).is_file()


def export_encoder(
    arguments: dict[str, Any], _arrays: dict[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Job: the cache entry of the encoder `arguments["model"]` ("encoder:WHERE" or a folder), made where absent.

    Answers {"onnx", "weights": paths, "sha256": of the ONNX file, "factory", "inputs", "outputs", "ranges", "limits",
    "parameters", "macs"}. Raises ModelError for a place that cannot be found, files that do not describe a BERT (see
    `suites.encoder_files`), and when torch, onnx, onnxscript or safetensors is missing.
    """
    folder = find_folder(str(arguments["model"]).removeprefix(PREFIX))
    size = read_size(folder)
    check_pooling(folder)
    weights = weights_file(folder)
    tokenizer = _tokenizer_files(folder)
    versions = exporter_versions()
    if versions is None:
        raise ModelError(
            f"building {folder.name!r} needs torch, onnx and onnxscript",
            "pip install 'inference-harness[torch]'",
        )
    files = {path.name: cache.file_sha256(path) for path in (folder / CONFIG, weights, *tokenizer)}
    key = cache.entry_key(
        kind="encoder", files=files, revision=REVISION, format=FORMAT, opset=OPSET, versions=versions
    )
    model = _described(folder.name, size)
    entry = cache.find(key) or cache.store(key, lambda place: _fill(model, size, folder, weights, place))
    return {
        "onnx": str(entry.folder / ONNX_FILE),
        "weights": str(entry.folder / WEIGHTS_FILE),
        "sha256": entry.meta["files"][ONNX_FILE]["sha256"],
        "factory": _FACTORY,
        "inputs": [spec.to_json() for spec in model.inputs],
        "outputs": [spec.to_json() for spec in model.outputs],
        "ranges": {name: list(limits) for name, limits in model.value_range.items()},
        "limits": dict(model.limits),
        "parameters": model.parameters,
        "macs": model.macs,
    }, {}


def find_folder(where: str) -> Path:
    """The folder that WHERE names. Raises ModelError, also where a package's function fails.

    A folder that exists comes first. Naming a function runs it: that is the user's own code.
    """
    path = Path(where).expanduser()
    if where and path.is_dir():
        return path.resolve()
    module_name, colon, attribute = where.partition(":")
    dotted = all(part.isidentifier() for part in module_name.split("."))
    if not where or not dotted or (colon and not attribute.isidentifier()):
        raise ModelError(
            f"there is no folder {where}",
            "expected encoder:FOLDER with config.json and weights, encoder:PACKAGE, or encoder:PACKAGE.MODULE:FUNCTION",
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ModelError(
            f"there is no folder {where}, and no package of that name: {error}",
            "install the package, or give the path of a folder",
        ) from error
    if not colon:
        return Path(str(importlib.resources.files(module))).resolve()
    try:
        found = Path(getattr(module, attribute)())
    except Exception as error:
        # Anything may come out of a function of somebody else's.
        raise ModelError(
            f"{where} failed: {type(error).__name__}: {error}",
            "it is called without arguments, for a folder's path",
        ) from error
    if not found.is_dir():
        raise ModelError(f"{where} returned {found}, which is no folder", "return the path of a folder")
    return found.resolve()


def _described(name: str, size: Size) -> BuiltinModel:
    """The model in the catalogue's terms; multiply-accumulates at `USUAL_LENGTH` tokens, or the longest text."""
    text = tuple(TensorSpec(tensor, "int64", ("batch", "sequence")) for tensor in INPUTS)
    length = min(USUAL_LENGTH, size.longest)
    h, inner, layers = size.width, size.inner, size.layers
    layer = 4 * (h * h + h) + 2 * h * inner + inner + h + 4 * h
    return BuiltinModel(
        name=name,
        summary="",
        family="encoder",
        inputs=text,
        outputs=(TensorSpec("last_hidden_state", "float32", ("batch", "sequence", h)),),
        factory=_FACTORY,
        seed=0,
        revision=REVISION,
        parameters=(size.vocabulary + size.longest + size.segments) * h + 2 * h + layers * layer,
        macs=layers * (length * (4 * h * h + 2 * h * inner) + 2 * h * length**2),
        value_range={
            "input_ids": (0, size.vocabulary),
            "attention_mask": (0, 2),
            "token_type_ids": (0, size.segments),
        },
        dims={"sequence": length},
        limits={"sequence": size.longest},
        pipeline="embed",
    )


def _fill(model: BuiltinModel, size: Size, folder: Path, weights: Path, place: Path) -> Mapping[str, Any]:
    from suites.models.sentence_encoder import build

    state = translated(read_weights(weights), size, weights)
    with (place / WEIGHTS_FILE).open("wb") as file:
        np.savez(file, allow_pickle=False, **state)
    (place / SIZE_FILE).write_text(json.dumps(asdict(size)), "utf-8")
    _write_tokenizer(folder, size, place / TOKENIZER)
    write_onnx(build(place / WEIGHTS_FILE), model, place / ONNX_FILE)
    check_export(model, place / ONNX_FILE)
    return {"name": model.name, "kind": "encoder", "folder": str(folder)}


def _tokenizer_files(folder: Path) -> list[Path]:
    """Files that decide the tokens; none where the folder has no tokenizer: the model runs, texts cannot be read."""
    if (folder / TOKENIZER).is_file():
        return [folder / TOKENIZER]
    return [path for path in (folder / VOCABULARY, folder / TOKENIZER_CONFIG) if path.is_file()]


def _write_tokenizer(folder: Path, size: Size, target: Path) -> None:
    """`tokenizer.json` as it is, or made of `vocab.txt`: BERT's WordPiece, as its first release splits words."""
    if (folder / TOKENIZER).is_file():
        shutil.copyfile(folder / TOKENIZER, target)
    elif (folder / VOCABULARY).is_file():
        _wordpiece(folder).save(str(target))
    else:
        return
    from suites.pipelines.pipeline import library

    tokenizers = library("tokenizers", "tokenizers", "text", "embed")
    try:
        entries = tokenizers.Tokenizer.from_file(str(target)).get_vocab()
    except Exception as error:
        # The library raises plain Exception for what it cannot read.
        raise ModelError(
            f"{folder / TOKENIZER} cannot be read: {error}", "expected a tokenizer.json"
        ) from error
    largest = max(entries.values(), default=0)
    if largest >= size.vocabulary:
        raise ModelError(
            f"the tokenizer in {folder} gives tokens up to {largest}, the model knows {size.vocabulary}",
            "tokenizer and weights belong to different models",
        )


def _wordpiece(folder: Path) -> Any:
    from suites.pipelines.pipeline import library

    library("tokenizers", "tokenizers", "text", "embed")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    path = folder / VOCABULARY
    try:
        words = path.read_text("utf-8").splitlines()
        options = json.loads((folder / TOKENIZER_CONFIG).read_text("utf-8"))
    except FileNotFoundError:
        options = {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} has a tokenizer that cannot be read: {error}", "save it again") from error
    entries = {word: place for place, word in enumerate(words)}
    missing = [word for word in ("[UNK]", "[CLS]", "[SEP]", "[PAD]") if word not in entries]
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}", "expected BERT's WordPiece vocabulary")
    lower = bool(options.get("do_lower_case", True)) if isinstance(options, dict) else True
    tokenizer = Tokenizer(models.WordPiece(entries, unk_token=words[entries["[UNK]"]]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(word, entries[word]) for word in ("[CLS]", "[SEP]")]
    )
    return tokenizer
