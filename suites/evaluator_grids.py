"""Operators on sampling grids for the ONNX reference evaluator, whose own round coordinates to float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.contract import Array


def exact_grids() -> list[Any]:
    """GridSample and AffineGrid that compute in their inputs' precision; classes of `onnx.reference`."""
    from onnx.reference.op_run import OpRun
    from onnx.reference.ops.op_affine_grid import construct_original_grid
    from onnx.reference.ops.op_grid_sample import GridSample as Theirs

    class GridSample(Theirs):  # type: ignore[misc]
        op_domain = ""

        def _gs_denormalize_coordinates(self, n: Array, dims: Any, align_corners: bool) -> Array:
            places = [self._gs_denormalize(v, d, align_corners) for v, d in zip(n, dims, strict=True)]
            return np.array(places, dtype=n.dtype)

        def _run(self, X: Array, grid: Array, mode: str | None = None, **more: Any) -> Any:
            # Opset 16 called the modes otherwise.
            named = {"bilinear": "linear", "bicubic": "cubic"}
            return super()._run(X, grid, named.get(str(mode), mode), **more)

    class AffineGrid(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, theta: Array, size: Array, align_corners: int | None = None) -> tuple[Array]:
            places = construct_original_grid([int(n) for n in size[2:]], int(align_corners or 0))
            flat = places.reshape(-1, places.shape[-1]).astype(theta.dtype)
            grid = np.einsum("nij,pj->npi", theta, flat)
            return (grid.reshape(len(theta), *places.shape[:-1], theta.shape[1]),)

    return [GridSample, AffineGrid]
