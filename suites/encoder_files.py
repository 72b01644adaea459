"""A trained text encoder in a folder, as models are published: `config.json`, weights, and a tokenizer.

    config.json                  sizes, in the names of BERT's configuration
    model.safetensors | *.npz    the state dict, in BERT's names (below)
    tokenizer.json | vocab.txt   the tokenizer, or the WordPiece vocabulary

Names of the state dict, each with or without `bert.` before it:

    embeddings.word_embeddings.weight               embeddings.position_embeddings.weight
    embeddings.token_type_embeddings.weight         embeddings.LayerNorm.weight, .bias
    encoder.layer.N.attention.self.query.weight, .bias     (and key, value)
    encoder.layer.N.attention.output.dense.weight, .bias   encoder.layer.N.attention.output.LayerNorm.weight, .bias
    encoder.layer.N.intermediate.dense.weight, .bias
    encoder.layer.N.output.dense.weight, .bias             encoder.layer.N.output.LayerNorm.weight, .bias

`gamma` and `beta`, as older files call a LayerNorm's weight and bias, are read as well. The pooler and the heads of
training tasks are left out. Pickled weights (`pytorch_model.bin`) are refused: loading them can run code.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backends.contract import Array
from suites.errors import ModelError
from suites.models.encoder import Size

CONFIG = "config.json"
SAFETENSORS = "model.safetensors"
_LEFT_OUT = ("pooler.", "cls.", "embeddings.position_ids", "classifier.", "dropout.")
_SIZES = {
    "vocabulary": "vocab_size",
    "longest": "max_position_embeddings",
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "inner": "intermediate_size",
}
_MUST_BE = {
    "model_type": ("bert",),
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}
MOST = 2**31
"""No size is larger: a config of a few bytes must not ask for terabytes."""


def read_size(folder: Path) -> Size:
    """The sizes in `config.json`. Raises ModelError for a file, a key or a value that does not describe a BERT."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder} has no {CONFIG}", "give a folder with config.json and weights") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "expected the configuration as JSON") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} is {type(config).__name__}, no object", "expected BERT's configuration")
    for key, allowed in _MUST_BE.items():
        if config.get(key, allowed[0]) not in allowed:
            raise ModelError(
                f"{path}: {key} is {config[key]!r}, only {allowed[0]!r} is supported",
                "export the model to ONNX and give the file instead",
            )
    sizes = {ours: _positive(config, theirs, path) for ours, theirs in _SIZES.items()}
    if sizes["width"] % sizes["heads"]:
        raise ModelError(
            f"{path}: hidden_size {sizes['width']} cannot be cut into {sizes['heads']} heads",
            "hidden_size is a multiple of num_attention_heads",
        )
    epsilon = config.get("layer_norm_eps", 1e-12)
    if not isinstance(epsilon, float) or not 0 < epsilon < 1:
        raise ModelError(f"{path}: layer_norm_eps is {epsilon!r}", "expected a small positive number")
    segments = _positive({"type_vocab_size": 2, **config}, "type_vocab_size", path)
    return Size(**sizes, segments=segments, epsilon=epsilon)


def check_pooling(folder: Path) -> None:
    """Raise ModelError where a sentence encoder makes its vectors otherwise than by the mean over its tokens."""
    modules = _json_or_none(folder / "modules.json")
    for module in modules if isinstance(modules, list) else []:
        kind = str(module.get("type", "")).rpartition(".")[2] if isinstance(module, dict) else "?"
        if kind not in ("Transformer", "Pooling", "Normalize"):
            raise ModelError(
                f"{folder / 'modules.json'}: the module {kind!r} is not supported",
                "supported: Transformer, Pooling (mean), Normalize",
            )
    pooling = _json_or_none(folder / "1_Pooling" / CONFIG)
    if isinstance(pooling, dict):
        chosen = [key for key, value in pooling.items() if key.startswith("pooling_mode_") and value is True]
        if chosen and chosen != ["pooling_mode_mean_tokens"]:
            raise ModelError(
                f"{folder / '1_Pooling' / CONFIG}: {', '.join(chosen)} is not supported",
                "supported: pooling_mode_mean_tokens, the mean over the tokens",
            )


def weights_file(folder: Path) -> Path:
    """The file with the state dict. Raises ModelError where there is none, or only a pickled one."""
    found = folder / SAFETENSORS
    if found.is_file():
        return found
    archives = sorted(folder.glob("*.npz"))
    if len(archives) == 1:
        return archives[0]
    if archives:
        raise ModelError(f"{folder} has {len(archives)} .npz files", f"keep one, or name it {SAFETENSORS}")
    pickled = sorted([*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
    if pickled:
        raise ModelError(
            f"{pickled[0]} is a pickle, which is not read: loading one can run code",
            f"save the weights as {SAFETENSORS}, or as .npz by numpy.savez",
        )
    raise ModelError(f"{folder} has no weights", f"expected {SAFETENSORS}, or one .npz with the state dict")


def read_weights(path: Path) -> dict[str, Array]:
    """The state dict by name, float32. Raises ModelError for a file that is damaged or holds no numbers.

    Needs torch for safetensors, whose bfloat16 numpy does not know: a job of a worker.
    """
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"cannot read weights from {path}: {error}", "expected a numpy .npz") from error
    else:
        found = _read_safetensors(path)
    for name, array in found.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"{path}: {name!r} holds values that are not finite", "save the weights again")
    return {
        name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in found.items()
    }


def _read_safetensors(path: Path) -> dict[str, Array]:
    try:
        import safetensors
    except ImportError as error:
        raise ModelError(
            f"{path} needs safetensors, which cannot be imported: {error}",
            "pip install 'inference-harness[weights]'",
        ) from error
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {
                name: tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy()
                for name in file.keys()  # noqa: SIM118 - it is no mapping
                for tensor in (file.get_tensor(name),)
            }
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"cannot read weights from {path}: {error}", "write the file again") from error


def translated(state: Mapping[str, Array], size: Size, path: Path) -> dict[str, Array]:
    """The state dict of `suites.models.encoder` out of one in BERT's names; `path` is for messages.

    Raises ModelError for a name that is missing or not known, and for a shape that `config.json` does not say.
    """
    plain = {_plain_name(name): array for name, array in state.items()}
    plain = {name: array for name, array in plain.items() if not name.startswith(_LEFT_OUT)}
    wanted = _names(size)
    missing = [theirs for theirs, _ in wanted.values() if theirs not in plain]
    if missing:
        raise ModelError(
            f"{path} lacks {missing[0]!r}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""),
            "the state dict of a BERT is expected, in the names of its first release",
        )
    unknown = sorted(set(plain) - {theirs for theirs, _ in wanted.values()})
    if unknown:
        raise ModelError(
            f"{path} holds {unknown[0]!r}, which a BERT of {size.layers} layers does not have",
            f"check num_hidden_layers in {CONFIG}, and that the model is a plain BERT",
        )
    for theirs, shape in wanted.values():
        if plain[theirs].shape != shape:
            raise ModelError(
                f"{path}: {theirs!r} has the shape {list(plain[theirs].shape)}, {CONFIG} says {list(shape)}",
                "weights and configuration belong to different models",
            )
    return {ours: plain[theirs] for ours, (theirs, _) in wanted.items()}


def _plain_name(name: str) -> str:
    name = name.removeprefix("bert.")
    if name.endswith("LayerNorm.gamma"):
        return name.removesuffix("gamma") + "weight"
    return name.removesuffix("beta") + "bias" if name.endswith("LayerNorm.beta") else name


def _names(size: Size) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Our names -> BERT's, and the shape."""
    width, inner = size.width, size.inner
    names: dict[str, tuple[str, tuple[int, ...]]] = {
        "token.weight": ("embeddings.word_embeddings.weight", (size.vocabulary, width)),
        "position.weight": ("embeddings.position_embeddings.weight", (size.longest, width)),
        "segment.weight": ("embeddings.token_type_embeddings.weight", (size.segments, width)),
    }

    def layer(ours: str, theirs: str, rows: int, columns: int = 0) -> None:
        names[f"{ours}.weight"] = (f"{theirs}.weight", (rows, columns) if columns else (rows,))
        names[f"{ours}.bias"] = (f"{theirs}.bias", (rows,))

    layer("norm", "embeddings.LayerNorm", width)
    for number in range(size.layers):
        ours, theirs = f"layers.{number}", f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            layer(f"{ours}.attention.body.{part}", f"{theirs}.attention.self.{part}", width, width)
        layer(f"{ours}.attention.body.output", f"{theirs}.attention.output.dense", width, width)
        layer(f"{ours}.attention.after", f"{theirs}.attention.output.LayerNorm", width)
        layer(f"{ours}.feed.body.expand", f"{theirs}.intermediate.dense", inner, width)
        layer(f"{ours}.feed.body.output", f"{theirs}.output.dense", width, inner)
        layer(f"{ours}.feed.after", f"{theirs}.output.LayerNorm", width)
    return names


def _positive(config: Mapping[str, Any], key: str, path: Path) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < MOST:
        raise ModelError(f"{path}: {key} is {value!r}", "expected a whole number above 0")
    return value


def _json_or_none(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "expected JSON") from error
