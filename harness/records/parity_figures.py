"""Figures that explain a parity verdict without deciding it: how outputs differ, and where."""

from __future__ import annotations

from pydantic import Field

from harness.records.base import Record


class ErrorQuantile(Record):
    """The absolute error that a share of an output's numbers does not exceed."""

    share: float = Field(description="from 0 to 1")
    error: float = Field(description="divided by the root mean square of the reference")


class Diagnostics(Record):
    """How one output differs from the reference in float64.

    Figures over numbers leave out those that are not finite on either side; they are counted apart. A figure that
    has no meaning for an output (a correlation of constants, say) is None.
    """

    values: int = Field(description="how many numbers the output has")
    scale: float = Field(description="root mean square of the reference; 1 where that is 0")
    nan: int = Field(0, description="NaN in the engine's output")
    infinite: int = 0
    reference_nan: int = 0
    reference_infinite: int = 0
    constant: bool = Field(False, description="one number throughout, although the reference varies")
    cosine: float | None = None
    sqnr_db: float | None = Field(
        None, description="signal to error, in decibels; None where there is no error, or no signal"
    )
    max_abs: float | None = None
    max_abs_index: tuple[int, ...] | None = None
    max_rel: float | None = Field(
        None, description="error over the reference's own magnitude, where that is not 0"
    )
    max_rel_index: tuple[int, ...] | None = None
    ulp_dtype: str = Field("", description="the format whose neighbouring numbers are counted")
    ulp_counts: tuple[int, ...] = Field(
        (),
        description="numbers by distance: [0] equal, [k] from 2^(k-1) to 2^k - 1 representable numbers away",
    )
    ulp_max: int | None = None
    top1: float | None = Field(
        None, description="share of rows (last axis) whose largest is at the same place"
    )
    top5: float | None = Field(
        None, description="share of rows in which the reference's largest is among the five largest"
    )
    rank_correlation: float | None = Field(None, description="Spearman's, over `rank_values` numbers")
    rank_values: int = Field(0, description="all finite ones, or evenly spaced ones of a large output")
    quantiles: tuple[ErrorQuantile, ...] = ()


class PictureAxis(Record):
    """One side of an error picture: an axis of the tensor, in cells of `step` places; axis None: a single cell."""

    axis: int | None
    size: int
    step: int


class ErrorPicture(Record):
    """Where in a tensor the error sits: the largest error of each cell of a grid, over all other axes.

    The two axes are those along which the error varies most.
    """

    shape: tuple[int, ...]
    rows: PictureAxis
    columns: PictureAxis
    cells: tuple[tuple[float | None, ...], ...] = Field(
        description="largest absolute error, divided by the root mean square of the reference, to three digits; "
        "None: not finite"
    )
