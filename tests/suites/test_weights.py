"""A state dict goes to disk and back, and a wrong file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suites.errors import ModelError
from suites.models.tiny_cnn import build
from suites.weights import save_weights

pytestmark = pytest.mark.engine("torch")


def test_round_trip_is_exact(tmp_path: Path) -> None:
    import torch

    module = build(None)
    module.stem.norm.running_mean.fill_(0.25)
    save_weights(module, tmp_path / "weights.npz")
    again = build(tmp_path / "weights.npz")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in module.state_dict().items())
    assert not again.training
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in again.parameters())


def test_the_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    module = build(None)
    save_weights(module, tmp_path / "a.npz")
    save_weights(module, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", weight=np.zeros(3, np.float32))
    with pytest.raises(ModelError, match=r"other\.npz do not fit the model"):
        build(tmp_path / "other.npz")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **{"stem.conv.weight": np.array([{}], dtype=object)})
    with pytest.raises(ModelError, match=r"cannot read weights from .*bad\.npz"):
        build(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04cut"])
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read weights from .*bad\.npz"):
        build(tmp_path / "bad.npz")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.npz"):
        build(tmp_path / "gone.npz")
