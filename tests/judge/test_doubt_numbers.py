"""Doubts about subnormal weights and outputs."""

from __future__ import annotations

import pytest

from harness.judge.doubts.numbers import doubts_of_outputs, doubts_of_weights
from tests.judge.test_doubt import assert_complete


@pytest.mark.parametrize(("share", "weights", "outputs"), [(0, 0, 0), (99, 0, 0), (101, 1, 0), (1001, 1, 1)])
def test_shares(share: int, weights: int, outputs: int) -> None:
    assert len(doubts_of_weights(share, 1_000_000)) == weights
    assert len(doubts_of_outputs(share, 1_000_000)) == outputs


def test_the_doubts_are_complete() -> None:
    (weights,) = doubts_of_weights(5, 10)
    (outputs,) = doubts_of_outputs(5, 10)
    assert (weights.code, outputs.code) == ("subnormal_weights", "subnormal_outputs")
    assert weights.figure == outputs.figure == 0.5
    for warning in (weights, outputs):
        assert "5 of 10" in warning.message
        assert warning.advice and warning.consequence


def test_uncounted_is_a_doubt_with_its_reason() -> None:
    for found in (doubts_of_weights(None, 0, "the job timed out"), doubts_of_outputs(None, 0, "no outputs")):
        assert found[0].code == "subnormals_unknown"
        assert "the job timed out" in found[0].message or "no outputs" in found[0].message
        assert_complete(found[0])


def test_a_model_without_float_weights_has_none() -> None:
    assert doubts_of_weights(0, 0) == ()
