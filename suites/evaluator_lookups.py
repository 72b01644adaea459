"""Operators that look up or select for the ONNX reference evaluator, whose own refuse what detectors are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.contract import Array


def whole_lookups() -> list[Any]:
    """GatherElements along axes of any length, and NonMaxSuppression with scalars; classes of `onnx.reference`.

    Theirs (1.23) choose among at most 64 places, and take limits only as lists of one number.
    """
    from onnx.reference.op_run import OpRun
    from onnx.reference.ops.op_non_max_suppression import NonMaxSuppression as Theirs

    class GatherElements(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, data: Array, indices: Array, axis: int | None = None) -> tuple[Array]:
            places = int(axis or 0) % data.ndim
            read = tuple(
                slice(None) if dim == places else slice(size) for dim, size in enumerate(indices.shape)
            )
            return (np.take_along_axis(data[read], indices.astype(np.int64), axis=places),)

    class NonMaxSuppression(Theirs):  # type: ignore[misc]
        op_domain = ""

        def _run(
            self,
            boxes: Array,
            scores: Array,
            most: Array | None = None,
            overlap: Array | None = None,
            lowest: Array | None = None,
            center_point_box: int | None = None,
        ) -> Any:
            # The standard's defaults: no box of a class, and any overlap suppresses.
            most = np.zeros(1, np.int64) if most is None else most.reshape(-1)
            overlap = np.zeros(1, boxes.dtype) if overlap is None else overlap.reshape(-1)
            lowest = None if lowest is None else lowest.reshape(-1)
            return super()._run(boxes, scores, most, overlap, lowest, center_point_box)

    return [GatherElements, NonMaxSuppression]
