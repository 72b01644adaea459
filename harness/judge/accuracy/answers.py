"""From a side's outputs to its answers, item by item: the place of the label, or the cosine of a pair's vectors."""

from __future__ import annotations

import numpy as np

from backends.contract import Array
from harness.judge.intervals import Floats
from harness.records.accuracy import BEYOND, PLACES


def label_ranks(logits: Array, labels: Array) -> tuple[str, int]:
    """The signs of `Answers.ranks` for logits [rows, classes] and labels int64 [rows], and how many are not finite.

    Equal logits go by their place, as an argmax does. An item with NaN or infinity among its logits has no order: its
    label counts as beyond all places.
    """
    wide = np.asarray(logits).astype(np.float64)
    finite = np.isfinite(wide).all(axis=1)
    own = np.take_along_axis(wide, labels[:, None], axis=1)
    earlier = np.arange(wide.shape[1]) < labels[:, None]
    before = ((wide > own) | ((wide == own) & earlier)).sum(axis=1)
    places = np.where(finite, before, PLACES)
    signs = [str(place) if place < PLACES else BEYOND for place in places.tolist()]
    return "".join(signs), int(np.count_nonzero(~finite))


def vectors(output: Array, mask: Array | None) -> Floats:
    """One vector a row: [rows, width] as it is, or [rows, sequence, width] averaged where `mask` [rows, sequence] is 1.

    The mean over the tokens is that of Reimers, Gurevych, "Sentence-BERT" (2019), section 3.
    """
    wide = np.asarray(output).astype(np.float64)
    if mask is None:
        return wide
    weights = mask.astype(np.float64)
    # Padding may hold anything, NaN included: it is left out, not multiplied by 0.
    seen = np.where(weights[:, :, None] > 0, wide, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.einsum("bsw,bs->bw", seen, weights) / weights.sum(axis=1, keepdims=True))


def cosines(first: Floats, second: Floats) -> list[float | None]:
    """Cosine of each row of `first` with that of `second`; None where one is not finite or has no direction."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        scale = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        found = (first * second).sum(axis=1) / scale
    return [float(value) if np.isfinite(value) else None for value in found]
