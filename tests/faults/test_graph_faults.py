"""Every planted graph fault, run by the real engines: the judge finds it against the healthy model."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge.parity import judge_output
from tests.faults.battery import FAULTS, Fault, healthy, plant
from tests.faults.running import feeds, open_session, outputs_of, reference, run, source_of

ENGINES = ("ort", "openvino")


@pytest.mark.engine("ort")
@pytest.mark.engine("openvino")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_the_judge_finds_it(fault: Fault, engine: str, tmp_path: Path) -> None:
    session = open_session(engine, source_of(plant(fault).model, tmp_path, "faulty"), tmp_path)
    outputs = run(session, feeds(fault.model, fault.shows))
    session.close()
    right, yardstick = reference(fault.model, fault.shows)
    told = [
        judge_output(name, fault.shows, outputs.get(name), right[name], yardstick[name], "fp32")
        for name in outputs_of(healthy(fault.model))
    ]
    assert [output for output in told if output.status == "fail"], told
    assert not [output for output in told if output.status == "unknown"], told
