"""Geometry of boxes: a letterbox and its inverse, and non-maximum suppression in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backends.contract import Array


@dataclass(frozen=True)
class Letterbox:
    """How a picture of `width` x `height` pixels lies in a square of `edge`: scaled alike both ways, centred."""

    width: int
    height: int
    edge: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture within the square, at least one pixel each."""
        scale = self.edge / max(self.width, self.height)
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))

    @property
    def corner(self) -> tuple[int, int]:
        """Left and top edge of the picture within the square."""
        wide, high = self.size
        return (self.edge - wide) // 2, (self.edge - high) // 2

    def back(self, corners: Array) -> Array:
        """Boxes [n, 4] (left, top, right, bottom) of the square in pixels of the picture, cut off at its edges."""
        (wide, high), (left, top) = self.size, self.corner
        shift = np.array([left, top, left, top], corners.dtype)
        scale = np.array([self.width / wide, self.height / high] * 2, corners.dtype)
        most = np.array([self.width, self.height] * 2, corners.dtype)
        return np.asarray(np.clip((corners - shift) * scale, 0, most))


def corners_of(boxes: Array) -> Array:
    """[n, 4] centre x, centre y, width, height -> left, top, right, bottom."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def suppress(corners: Array, scores: Array, classes: Array, overlap: float, most: int) -> Array:
    """Greedy non-maximum suppression within each class: indices [k <= most] of what is kept, best score first.

    A box goes when the intersection over union with a better one of its class is above `overlap`. Equal scores go by
    their index. `corners` is [n, 4], `scores` and `classes` are [n].
    """
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = corners[order].T
    area = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    kinds = classes[order]
    alive = np.ones(len(order), bool)
    kept: list[int] = []
    for place in range(len(order)):
        if not alive[place]:
            continue
        kept.append(place)
        if len(kept) == most:
            break
        rest = slice(place + 1, None)
        width = np.minimum(right[place], right[rest]) - np.maximum(left[place], left[rest])
        height = np.minimum(bottom[place], bottom[rest]) - np.maximum(top[place], top[rest])
        common = np.maximum(width, 0) * np.maximum(height, 0)
        union = area[place] + area[rest] - common
        alive[rest] &= (common <= overlap * union) | (kinds[rest] != kinds[place])
    return order[kept]
