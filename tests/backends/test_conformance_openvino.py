from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.kit import run_kit


@pytest.mark.engine("openvino")
@pytest.mark.slow
def test_openvino_conforms(tmp_path: Path) -> None:
    run = run_kit("openvino", tmp_path)
    assert run.exit_code == 0, run.text
    # Which narrow precisions run depends on the CPU; fp32 runs everywhere.
    assert not [name for name in run.unsupported if "bf16" not in name and "fp16" not in name]
    for model in ("cnn", "mlp", "lstm", "transformer", "branch"):
        assert f"test_outputs_equal_the_reference[fp32-{model}]" in run.passed


@pytest.mark.engine("openvino")
def test_openvino_reshaped_conforms_and_refuses_other_batches(tmp_path: Path) -> None:
    run = run_kit("openvino", tmp_path, "--backend-option", "reshape=1", "-k", "fp32 or another_batch")
    assert run.exit_code == 0, run.text
    refused = {name for name in run.unsupported if "another_batch" in name}
    assert len(refused) == 5
    assert all("compiled for one batch" in run.unsupported[name] for name in refused)


@pytest.mark.engine("openvino")
def test_openvino_automatic_choice_conforms(tmp_path: Path) -> None:
    run = run_kit("openvino:auto", tmp_path, "-k", "fp32 or threads or two_sessions")
    assert run.exit_code == 0, run.text
