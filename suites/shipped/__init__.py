"""Trained weights and labelled data that come with the harness; their sources and licences are in the README here."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

DIGITS_WEIGHTS = _HERE / "digits_cnn.npz"
"""State dict of `digits-cnn`, float32."""
DIGITS_TEST = _HERE / "digits_test.npz"
"""Its test split: `input` float32 [797, 1, 8, 8] from 0 to 1, `labels` int64 [797]."""
