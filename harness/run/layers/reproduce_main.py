"""Runs model.onnx on inputs.npz and compares with expected.npz. Exit code 1: the outputs are wrong.

Needs numpy and the engine only. engine.py holds the few lines that drive the engine, settings.json how it was set.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run, print one line an output, and say whether all are right."""
    settings = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))
    run = runpy.run_path(str(HERE / "engine.py"))["run"]
    inputs = dict(np.load(HERE / "inputs.npz"))
    expected = dict(np.load(HERE / "expected.npz"))
    outputs = run(HERE / "model.onnx", inputs, settings)
    wrong = [name for name in settings["outputs"] if not right(name, outputs, expected, settings)]
    print("WRONG: " + ", ".join(wrong) if wrong else "right")
    return 1 if wrong else 0


def right(name: str, outputs: dict[str, Any], expected: dict[str, Any], settings: dict[str, Any]) -> bool:
    """Whether one output is within its budget, in units of the error of numpy in float32 (the yardstick)."""
    if name not in outputs:
        print(f"{name}: the engine did not return it")
        return False
    actual, exact = np.asarray(outputs[name]), expected[f"{name}:float64"]
    if actual.shape != exact.shape:
        print(f"{name}: shape {actual.shape} instead of {exact.shape}")
        return False
    if exact.dtype.kind in "biu" or actual.dtype.kind in "biu":
        different = int(np.count_nonzero(actual != exact))
        print(f"{name}: {different} of {exact.size} integers differ")
        return different == 0
    wide = actual.astype(np.float64)
    yardstick = expected[f"{name}:float32"].astype(np.float64)
    usable = np.isfinite(exact) & np.isfinite(yardstick)
    if not np.isfinite(wide[usable]).all():
        print(f"{name}: {np.count_nonzero(~np.isfinite(wide[usable]))} values are not finite")
        return False
    # Masks are infinite by design: such values must be the same.
    other = ~np.isfinite(exact) & ~np.isfinite(yardstick) & ~same(wide, exact) & ~same(wide, yardstick)
    if other.any():
        print(f"{name}: {np.count_nonzero(other)} values are not the infinity or NaN that is expected")
        return False
    if not usable.any():
        return True
    scale = float(np.sqrt(np.mean(exact[usable] ** 2))) or 1.0
    sizes = np.abs(wide[usable] - exact[usable]) / scale
    found = {"rms": float(np.sqrt(np.mean(sizes**2))), "largest": float(sizes.max())}
    good = True
    for measure, limit in settings["limits"][name].items():
        ratio = found[measure] / limit["yardstick"]
        good = good and ratio <= limit["budget"]
        print(
            f"{name}: {measure} error {found[measure]:.3g}, {ratio:.3g} yardsticks, budget {limit['budget']:.3g}"
        )
    return good


def same(a: Any, b: Any) -> Any:
    """Where two arrays hold the same value, NaN being the same as NaN."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


if __name__ == "__main__":
    sys.exit(main())
