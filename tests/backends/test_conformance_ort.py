from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.kit import run_kit


@pytest.mark.engine("ort")
def test_ort_conforms(tmp_path: Path) -> None:
    run = run_kit("ort", tmp_path)
    assert run.exit_code == 0, run.text
    assert run.unsupported == {}
    assert "conformance: 5 comparisons with the reference passed, 0 unsupported" in run.text


@pytest.mark.engine("ort")
def test_ort_with_other_options_conforms(tmp_path: Path) -> None:
    options = ("graph_optimization_level=off", "allow_spinning=0", "arena=0")
    arguments = [word for option in options for word in ("--backend-option", option)]
    run = run_kit("ort", tmp_path, *arguments, "-k", "test_outputs or test_processes or threads")
    assert run.exit_code == 0, run.text


@pytest.mark.engine("ort")
def test_ort_cuda_fails_the_kit_with_its_reason(tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has CUDA: the refusal cannot be seen")
    run = run_kit("ort:cuda", tmp_path, "-k", "cnn")
    assert run.exit_code == 1
    assert run.passed == set()
    assert "has no CUDAExecutionProvider" in run.text
