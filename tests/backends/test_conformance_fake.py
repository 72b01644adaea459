from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.kit import run_kit


def test_fake_conforms(tmp_path: Path) -> None:
    run = run_kit("fake", tmp_path)
    assert run.exit_code == 0, run.text
    assert run.unsupported == {}
    assert "conformance: 5 comparisons with the reference passed, 0 unsupported" in run.text


FAULTS = {
    "nan": ("not finite", "test_outputs_equal_the_reference[fp32-cnn]"),
    "wrong_value": ("is off by", "test_outputs_equal_the_reference[fp32-cnn]"),
    "wrong_shape": ("has shape", "test_outputs_equal_the_reference[fp32-mlp]"),
    "missing_output": ("declared ['zeta', 'alpha']", "test_outputs_equal_the_reference[fp32-mlp]"),
    "extra_output": ("surplus", "test_outputs_equal_the_reference[fp32-lstm]"),
    "wrong_dtype": ("is float64", "test_outputs_equal_the_reference[fp32-cnn]"),
    "stale": ("is off by", "test_timed_call_computes_the_same[mlp]"),
    "leak": ("MiB more after", "test_close_releases_memory"),
    "raise_build": ("told to fail in build", "test_outputs_equal_the_reference[fp32-cnn]"),
    "raise_load": ("told to fail in load", "test_outputs_equal_the_reference[fp32-cnn]"),
    "raise_infer": ("told to fail in infer", "test_outputs_equal_the_reference[fp32-cnn]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_kit_finds_a_fault(fault: str, tmp_path: Path) -> None:
    message, where = FAULTS[fault]
    only = where.partition("[")[0]
    run = run_kit("fake", tmp_path, "--backend-option", f"fault={fault}", "-k", only)
    assert run.exit_code == 1, run.text
    assert where in run.failed
    assert message in run.failed[where]


def test_a_dying_engine_fails_the_kit(tmp_path: Path) -> None:
    run = run_kit("fake", tmp_path, "--backend-option", "fault=segfault", "-k", "equal_the_reference")
    assert run.exit_code < 0
