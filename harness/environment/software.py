"""The software around a measurement: versions, commit, command line, variables that engines read."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import harness
from harness.environment.masking import is_secret_name, mask, mask_command
from harness.environment.repository import repository
from harness.records import Environment

ENGINES = (
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "onnxruntime-directml",
    "openvino",
    "tensorrt",
    "tensorrt-cu12",
    "tensorrt-cu13",
    "apache-tvm",
    "ncnn",
    "MNN",
    "ai-edge-litert",
    "iree-base-runtime",
    "tensorflow",
    "jax",
    "paddlepaddle",
)
"""Distributions of inference engines."""

SUPPORT = (
    "numpy",
    "scipy",
    "onnx",
    "onnx-ir",
    "onnxscript",
    "ml_dtypes",
    "protobuf",
    "psutil",
    "torchvision",
    "transformers",
    "timm",
    "triton",
    "nncf",
    "jaxlib",
    "iree-base-compiler",
    "apache-tvm-ffi",
    "mkl",
    "intel-openmp",
    "tbb",
)
"""Distributions that convert models, or whose libraries engines compute with."""

# Distributions of CUDA libraries; their names carry the CUDA version.
_PREFIXES = ("nvidia-", "tensorrt")

_VARIABLES = (
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "ONEDNN_",
    "DNNL_",
    "OPENBLAS_",
    "BLIS_",
    "ORT_",
    "ONNXRUNTIME_",
    "OV_",
    "OPENVINO_",
    "CUDA_",
    "CUDNN_",
    "CUBLAS_",
    "NVIDIA_TF32_",
    "NVIDIA_VISIBLE_",
    "TORCH_",
    "TORCHINDUCTOR_",
    "PYTORCH_",
    "ATEN_",
    # TensorFlow's own; plain "TF_" would take in Terraform's, whose values can be secrets.
    "TF_CPP_",
    "TF_CUDNN_",
    "TF_DETERMINISTIC_",
    "TF_DISABLE_",
    "TF_ENABLE_",
    "TF_FORCE_",
    "TF_GPU_",
    "TF_NUM_",
    "TF_USE_",
    "TF_XLA_",
    "XLA_",
    "TVM_",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
)

ADAPTERS = "harness.backends"
"""Entry-point group under which distributions register adapters."""


def environment(command: Sequence[str], folder: Path | None = None) -> Environment:
    """Describe the software of this process; `command` is its command line, `folder` the working directory.

    Packages are those of this interpreter's environment; nothing is imported to learn their versions. Passwords
    and other secrets in the command line and in variables are replaced by `***` or left out.
    """
    where = repository(folder or Path.cwd())
    return Environment(
        python=platform.python_version(),
        harness=harness.__version__,
        packages=packages(),
        commit=where.commit,
        branch=where.branch,
        dirty=where.dirty,
        command=mask_command(command),
        variables=variables(os.environ),
    )


def packages() -> dict[str, str]:
    """Name -> version of the installed distributions that can change what is measured, sorted by name."""
    found: dict[str, str] = {}
    wanted = {_canonical(name): name for name in ENGINES + SUPPORT}
    adapters = {
        _canonical(point.dist.name)
        for point in metadata.entry_points(group=ADAPTERS)
        if point.dist is not None
    }
    for distribution in metadata.distributions():
        # A distribution whose metadata file is damaged has no name.
        name = distribution.metadata["Name"] if distribution.metadata is not None else None
        if not name:
            continue
        canonical = _canonical(name)
        if canonical in wanted or canonical in adapters or canonical.startswith(_PREFIXES):
            # The first one on the path is the one that gets imported.
            found.setdefault(wanted.get(canonical, name), distribution.version)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def variables(source: Mapping[str, str]) -> dict[str, str]:
    """Those of `source` that engines, their numeric libraries or the allocator read, without secrets."""
    return {
        name: mask(value)
        for name, value in sorted(source.items())
        if name.startswith(_VARIABLES) and not is_secret_name(name)
    }


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
