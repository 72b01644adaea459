"""Where rounding decides: indices that near-ties flip, and floats behind such a decision.

The evidence is runs of the reference from inputs and weights moved by ten roundings of the precision.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from backends.contract import Array

FEWEST = 8
"""Runs below which nothing is said about values that none of them gave."""
JUMP = 3.0
"""A float that moves by more than so many times what its smooth error explains has passed a step."""
BEYOND = 4.0
"""How much further than in any moved run a float behind a step may be: where three and more candidates are nearly
equal, the runs have not seen every pair of them."""


def impossible(actual: Array, right: Array, runs: Sequence[Array]) -> Array:
    """Where integers (of one shape) are neither right nor what a near-tie explains: true there.

    A value that some run gives is explained. One that none gives can be too, where many are nearly equal: the chance of
    a value that was not seen is the share of values seen once (Good, *The Population Frequencies of Species*, 1953).
    So as many unseen ones as that explains pass, at places where the runs disagree
    and within the range of all that they give.
    """
    known = np.stack([right, *(run for run in runs if run.shape == right.shape)])
    wrong = ~(known == actual).any(axis=0)
    if not wrong.any() or len(known) < FEWEST:
        return np.asarray(wrong)
    # Poisson, by three standard deviations above twice its mean: an engine's error is not the runs' own.
    once = _seen_once(known)
    open_ = (known != right).any(axis=0) & (actual >= known.min()) & (actual <= known.max())
    few = (wrong & open_).sum() <= _most(float(once.sum()) / len(known))
    return np.asarray(wrong & ~open_ if few else wrong)


def impossible_rows(actual: Array, right: Array, runs: Sequence[Array]) -> int | None:
    """How many rows of integers are too many or too few, where near-ties decide how many there are.

    Rows lie along the one axis whose size differs from run to run, such as the boxes that are left over; their order is
    not looked at. None where no size differs, or where it is not one axis alone.
    """
    every = [right, *runs]
    sizes = {run.shape for run in (actual, *every)}
    varying = [
        axis
        for axis in range(right.ndim)
        if len({shape[axis] for shape in sizes if len(shape) == right.ndim}) > 1
    ]
    if len(every) < FEWEST or len({run.shape for run in every}) < 2:
        return None
    if len(varying) != 1 or actual.ndim != right.ndim:
        return None
    found, *known = (
        {row.tobytes() for row in np.ascontiguousarray(np.moveaxis(run, varying[0], 0)).astype(np.int64)}
        for run in (actual, *every)
    )
    count = Counter(row for rows in known for row in rows)
    lacking = sum(times == len(known) and row not in found for row, times in count.items())
    new = sum(row not in count for row in found)
    once = sum(times == 1 for times in count.values())
    if new <= _most(once / len(known)):
        new = 0
    return lacking + new


def _most(unseen: float) -> float:
    """The most values that no run gave, of which `unseen` are expected."""
    return 2 * unseen + 3 * math.sqrt(2 * unseen)


def _seen_once(known: Array) -> Array:
    """How many values the runs (first axis) give once, at each place."""
    ordered = np.sort(known, axis=0)
    ends = np.ones((1, *known.shape[1:]), bool)
    new = np.concatenate([ends, ordered[1:] != ordered[:-1], ends])
    return np.asarray((new[:-1] & new[1:]).sum(axis=0))


def behind_a_step(actual: Array, right: Array, runs: Sequence[Array], smooth: float) -> Array:
    """Where the error of floats is what a flipped decision explains, such as a box of another of two equal scores.

    `actual` and `right` are float64 of one shape, `smooth` is the largest error that smooth functions have in the moved
    `runs`. True nowhere unless a run jumps: then where no number is much further off than in some run.
    """
    apart = [np.abs(run.astype(np.float64) - right) for run in runs if run.shape == right.shape]
    reach = np.max([each for each in apart if np.isfinite(each).all()] or [np.zeros_like(right)], axis=0)
    if not reach.size or reach.max() <= JUMP * smooth:
        return np.zeros(right.shape, bool)
    return np.asarray((reach > 0) & (np.abs(actual - right) <= BEYOND * reach))
