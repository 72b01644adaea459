"""What the harness is compared with: the engines' own ways of timing, none of which uses code of the harness.

`ort_loop` and `torch_timer` are jobs: they live in a worker process of their own that is frozen while the harness
measures, keep their model between calls, and answer the median latency of one block. `benchmark_app` is a program.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

_kept: dict[str, Any] = {}


def ort_loop(arguments: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A bare loop over `run_with_iobinding`, as ONNX Runtime's documentation shows it."""
    import onnxruntime as ort

    if not _kept:
        options = ort.SessionOptions()
        options.intra_op_num_threads = arguments["threads"]
        options.inter_op_num_threads = 1
        session = ort.InferenceSession(arguments["onnx"], options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        for output in session.get_outputs():
            binding.bind_output(output.name)
        _kept.update(session=session, binding=binding, values=values)
    session, binding = _kept["session"], _kept["binding"]
    times = []
    end = time.perf_counter() + arguments["seconds"]
    session.run_with_iobinding(binding)
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run_with_iobinding(binding)
        times.append(time.perf_counter() - start)
    return {"median_s": median(times), "calls": len(times)}, {}


def torch_timer(arguments: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`torch.utils.benchmark.Timer` with its own `blocked_autorange`, in inference mode."""
    import torch
    from torch.utils.benchmark import Timer

    if not _kept:
        torch.set_num_threads(arguments["threads"])
        module_name, _, attribute = arguments["factory"].partition(":")
        module = getattr(importlib.import_module(module_name), attribute)(Path(arguments["weights"]))
        _kept.update(
            module=module.eval(), inputs=[torch.from_numpy(array.copy()) for array in arrays.values()]
        )
    with torch.inference_mode():
        timer = Timer(
            "module(*inputs)",
            globals=dict(_kept),
            num_threads=arguments["threads"],
        )
        timer.timeit(1)
        measured = timer.blocked_autorange(min_run_time=arguments["seconds"])
    return {"median_s": measured.median, "calls": len(measured.times) * measured.number_per_run}, {}


def benchmark_app(
    onnx: Path, shapes: dict[str, tuple[int, ...]], threads: int, seconds: float, folder: Path
) -> float:
    """Median latency in seconds that OpenVINO's `benchmark_app` reports for one stream, synchronous, fp32."""
    program = Path(sys.executable).with_name("benchmark_app")
    command = [
        *(str(program), "-m", str(onnx), "-d", "CPU", "-api", "sync", "-hint", "none"),
        *("-nstreams", "1", "-nireq", "1", "-nthreads", str(threads), "-infer_precision", "f32"),
        *("-shape", ",".join(f"{name}[{','.join(map(str, shape))}]" for name, shape in shapes.items())),
        *("-t", str(max(1, round(seconds))), "-json_stats", "-report_type", "no_counters"),
        *("-report_folder", str(folder)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    report = folder / "benchmark_report.json"
    if done.returncode or not report.is_file():
        raise RuntimeError(f"benchmark_app failed: {(done.stderr or done.stdout)[-500:]}")
    text = report.read_text(encoding="utf-8")
    report.unlink()
    # "latency (ms)" is the percentile that was asked for: by default the 50th.
    return float(json.loads(text)["execution_results"]["latency (ms)"]) * 1e-3
