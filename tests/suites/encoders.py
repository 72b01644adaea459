"""A small BERT with random weights in a folder, and what torch's own encoder layers make of the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefghijklmnopqrstuvwxyz",
    "##s",
    "bread",
    "harbour",
)
CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": len(WORDS),
    "max_position_embeddings": 24,
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "type_vocab_size": 3,
}


def state(seed: int = 0) -> dict[str, Any]:
    """A state dict in BERT's names, float32."""
    random = np.random.default_rng(seed)
    h, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]

    def drawn(*shape: int) -> Any:
        return (0.3 * random.standard_normal(shape)).astype(np.float32)

    found = {
        "embeddings.word_embeddings.weight": drawn(len(WORDS), h),
        "embeddings.position_embeddings.weight": drawn(CONFIG["max_position_embeddings"], h),
        "embeddings.token_type_embeddings.weight": drawn(CONFIG["type_vocab_size"], h),
        "embeddings.position_ids": np.arange(24)[None],
        "pooler.dense.weight": drawn(h, h),
        "pooler.dense.bias": drawn(h),
    }
    shapes = {f"attention.self.{part}": (h, h) for part in ("query", "key", "value")}
    shapes |= {"attention.output.dense": (h, h), "intermediate.dense": (inner, h), "output.dense": (h, inner)}
    norms = ["embeddings.LayerNorm"]
    for layer in range(CONFIG["num_hidden_layers"]):
        place = f"encoder.layer.{layer}"
        norms += [f"{place}.attention.output.LayerNorm", f"{place}.output.LayerNorm"]
        for name, shape in shapes.items():
            found[f"{place}.{name}.weight"], found[f"{place}.{name}.bias"] = drawn(*shape), drawn(shape[0])
    for name in norms:
        found[f"{name}.weight"], found[f"{name}.bias"] = 1 + drawn(h), drawn(h)
    return found


def write_encoder(
    folder: Path, weights: dict[str, Any] | None = None, *, form: str = "safetensors", **config: Any
) -> Path:
    """The folder with configuration, weights and `vocab.txt`; `config` replaces entries, None takes one out."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {key: value for key, value in {**CONFIG, **config}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(wanted))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8")
    held = state() if weights is None else weights
    if form == "safetensors":
        from safetensors.numpy import save_file

        save_file(
            {name: np.ascontiguousarray(array) for name, array in held.items()}, folder / "model.safetensors"
        )
    else:
        np.savez(folder / "weights.npz", **held)
    return folder


def by_torchs_own_layers(weights: dict[str, Any], ids: Any, mask: Any, kinds: Any) -> Any:
    """Hidden states of the same BERT by `torch.nn.TransformerEncoderLayer`: none of our attention or norms."""
    import torch
    from torch import nn

    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    h = CONFIG["hidden_size"]

    def norm(x: Any, name: str) -> Any:
        w, b = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        return nn.functional.layer_norm(x, (h,), w, b, CONFIG["layer_norm_eps"])

    x = tensors["embeddings.word_embeddings.weight"][ids]
    x = x + tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = norm(x + tensors["embeddings.token_type_embeddings.weight"][kinds], "embeddings.LayerNorm")
    for number in range(CONFIG["num_hidden_layers"]):
        layer = nn.TransformerEncoderLayer(
            h,
            CONFIG["num_attention_heads"],
            CONFIG["intermediate_size"],
            dropout=0.0,
            activation="gelu",
            layer_norm_eps=CONFIG["layer_norm_eps"],
            batch_first=True,
        ).eval()
        place = f"encoder.layer.{number}"
        both = {
            kind: torch.cat(
                [tensors[f"{place}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            )
            for kind in ("weight", "bias")
        }
        names = {
            "self_attn.out_proj": "attention.output.dense",
            "linear1": "intermediate.dense",
            "linear2": "output.dense",
            "norm1": "attention.output.LayerNorm",
            "norm2": "output.LayerNorm",
        }
        values = {
            f"{ours}.{kind}": tensors[f"{place}.{theirs}.{kind}"]
            for ours, theirs in names.items()
            for kind in ("weight", "bias")
        }
        layer.load_state_dict(
            {**values, "self_attn.in_proj_weight": both["weight"], "self_attn.in_proj_bias": both["bias"]}
        )
        with torch.no_grad():
            x = layer(x, src_key_padding_mask=torch.from_numpy(mask) == 0)
    return x.numpy()
