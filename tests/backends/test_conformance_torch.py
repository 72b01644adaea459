from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.kit import run_kit


@pytest.mark.engine("torch")
@pytest.mark.slow
def test_torch_conforms_in_every_precision(tmp_path: Path) -> None:
    run = run_kit("torch", tmp_path)
    assert run.exit_code == 0, run.text
    assert run.unsupported == {}
    assert "conformance: 15 comparisons with the reference passed, 0 unsupported" in run.text


@pytest.mark.engine("torch")
def test_torch_channels_last_conforms(tmp_path: Path) -> None:
    run = run_kit("torch", tmp_path, "--backend-option", "memory_format=channels_last", "-k", "test_outputs")
    assert run.exit_code == 0, run.text


@pytest.mark.engine("torch")
def test_torch_cuda_fails_the_kit_with_its_reason(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here: the refusal cannot be seen")
    run = run_kit("torch:cuda", tmp_path, "-k", "cnn")
    assert run.exit_code == 1
    assert run.passed == set()
    assert "cannot run here" in run.text
    assert "CUDA" in run.text
