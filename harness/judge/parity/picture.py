"""Where in a tensor the error sits: a small grid of largest errors."""

from __future__ import annotations

import numpy as np

from backends.contract import Array
from harness.records.parity_figures import ErrorPicture, PictureAxis

CELLS = 64
"""Most rows, and most columns, of a picture."""


def error_picture(actual: Array, right: Array) -> ErrorPicture | None:
    """The largest absolute error in every cell of a grid of at most 64 by 64, over the axes that are not shown.

    `actual` and `right` have the same shape and any numeric dtype. Errors are divided by the root mean square of
    `right`. Shown are the two axes along which the error varies most (ties: the last ones), so that a wrong channel
    shows as a line. A cell with a number that is not finite is None. None for an empty tensor. Raises ValueError for
    shapes that differ.
    """
    if actual.shape != right.shape:
        raise ValueError(
            f"outputs of shape {actual.shape} and {right.shape} cannot be compared number by number"
        )
    if actual.size == 0:
        return None
    wanted = right.astype(np.float64)
    with np.errstate(invalid="ignore"):
        error = np.abs(actual.astype(np.float64) - wanted)
    usable = wanted[np.isfinite(wanted)]
    scale = (float(np.sqrt(np.mean(np.square(usable)))) if usable.size else 0.0) or 1.0
    # A NaN is the worst error there is: it must win every maximum, and tell where it came from.
    error = np.where(np.isfinite(error), error / scale, np.inf)
    row, column = _axes(error)
    shown = [axis for axis in (row, column) if axis is not None]
    over = tuple(axis for axis in range(error.ndim) if axis not in shown)
    grid = np.asarray(error.max(axis=over)) if over else error
    grid = grid.reshape([error.shape[axis] if axis is not None else 1 for axis in (row, column)])
    rows, row_axis = _folded(grid, 0, row)
    cells, column_axis = _folded(rows, 1, column)
    return ErrorPicture(
        shape=tuple(int(size) for size in right.shape),
        rows=row_axis,
        columns=column_axis,
        cells=tuple(tuple(_short(v) if np.isfinite(v) else None for v in line) for line in cells),
    )


def _axes(error: Array) -> tuple[int | None, int | None]:
    """The axes of rows and columns, in the tensor's order."""
    long = [axis for axis in range(error.ndim) if error.shape[axis] > 1]
    if len(long) < 2:
        return None, long[0] if long else None
    varied = sorted(long, key=lambda axis: (_unevenness(error, axis), axis))[-2:]
    return min(varied), max(varied)


def _unevenness(error: Array, axis: int) -> float:
    """Largest over mean of the error's energy along `axis`; 1 where it is spread evenly.

    Rounded, so that chance does not choose between axes that are alike.
    """
    others = tuple(other for other in range(error.ndim) if other != axis)
    energy = np.square(np.where(np.isfinite(error), error, 0.0)).sum(axis=others)
    energy = energy + np.where(np.isfinite(error), 0.0, 1e30).sum(axis=others)
    mean = float(energy.mean())
    return round(float(np.log2(energy.max() / mean))) if mean > 0 else 0.0


def _folded(grid: Array, axis: int, tensor_axis: int | None) -> tuple[Array, PictureAxis]:
    size = grid.shape[axis]
    step = -(-size // CELLS)
    starts = np.arange(0, size, step)
    return np.maximum.reduceat(grid, starts, axis=axis), PictureAxis(axis=tensor_axis, size=size, step=step)


def _short(value: float) -> float:
    """Three digits: a picture has thousands of cells, and is looked at."""
    return float(f"{value:.3g}")
