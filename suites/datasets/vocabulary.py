"""Which tokenizer belongs to a model: the one beside its ONNX file; the shipped one for the built-in encoders."""

from __future__ import annotations

from pathlib import Path

TOKENIZER = "tokenizer.json"


def vocabulary_of(onnx_path: Path | None, *, builtin: bool) -> Path | None:
    """The tokenizer's file of a model; None for the shipped one, and for a model without any.

    For a model that is not built in a file that is not there is named all the same: reading texts then fails with its
    path in the message.
    """
    if builtin or onnx_path is None:
        return None
    return onnx_path.parent / TOKENIZER
