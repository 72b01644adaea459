"""Detection: the letterboxed square, and answers in the picture's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from suites.pipelines.pipeline import PipelineError
from tests.suites.pipelines.kit import CAT, CODECS, COFFEE, encoded, flat, make, pixels


def predictions(*rows: tuple[int, tuple[float, ...], int, float], batch: int = 1) -> Any:
    """[batch, 2100, 24] with boxes (entry of the batch, (cx, cy, w, h), class, score)."""
    found = np.zeros((batch, 2100, 24), np.float32)
    found[..., 2:4] = 1
    for place, (entry, box, kind, score) in enumerate(rows):
        found[entry, 100 + place, :4] = box
        found[entry, 100 + place, 4 + kind] = score
    return {"predictions": found}


@pytest.mark.parametrize("name", CODECS)
def test_the_picture_lies_in_the_middle_on_grey(name: str) -> None:
    square = make("detect", name, "tiny-detector").preprocess([encoded(flat(600, 400))])["input"]
    assert (square.shape, square.dtype.name) == ((1, 3, 320, 320), "float32")
    grey, colour = np.full(3, 114 / 255), np.array([200, 100, 50]) / 255
    for y in range(320):
        expected = colour if 53 <= y < 53 + 213 else grey
        assert np.abs(square[0, :, y] - expected[:, None]).max() < 1e-6


@pytest.mark.parametrize("data", [COFFEE, CAT], ids=["coffee", "cat"])
def test_the_libraries_agree(data: bytes) -> None:
    one, other = (make("detect", name, "tiny-detector").preprocess([data])["input"] for name in CODECS)
    assert 255 * np.abs(one - other).mean() < 1.5


@pytest.mark.parametrize("name", CODECS)
def test_a_box_comes_back_to_where_the_object_is(name: str) -> None:
    """A bright block in the picture is found in the square by its pixels; its box must name the block."""
    scene = flat(600, 400, (10, 10, 10))
    scene[120:240, 300:480] = 255
    chosen = make("detect", name, "tiny-detector")
    square = chosen.preprocess([encoded(scene)])["input"][0, 0]
    rows, columns = np.nonzero(square > 0.7)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    ((found,),) = chosen.postprocess(predictions((0, box, 7, 0.9)))
    assert found["box"] == pytest.approx([300, 120, 480, 240], abs=2)
    assert (found["class"], found["score"]) == (7, pytest.approx(0.9))


@pytest.mark.parametrize("name", CODECS)
def test_threshold_suppression_and_order(name: str) -> None:
    chosen = make("detect", name, "tiny-detector")
    chosen.preprocess([encoded(flat(320, 320)), encoded(flat(320, 320))])
    answer = chosen.postprocess(
        predictions(
            (1, (100, 100, 40, 40), 3, 0.6),
            (1, (102, 101, 40, 40), 3, 0.8),  # the same object, better
            (1, (102, 101, 40, 40), 4, 0.5),  # another class
            (1, (200, 200, 40, 40), 3, 0.25),  # not above the threshold
            (1, (250, 250, 20, 30), 0, 0.9),
            batch=2,
        )
    )
    assert answer[0] == []
    assert [(entry["class"], round(entry["score"], 6)) for entry in answer[1]] == [
        (0, 0.9),
        (3, 0.8),
        (4, 0.5),
    ]
    assert answer[1][0]["box"] == pytest.approx([240, 235, 260, 265])


@pytest.mark.parametrize("name", CODECS)
def test_at_most_three_hundred_are_given(name: str) -> None:
    chosen = make("detect", name, "tiny-detector")
    chosen.preprocess([encoded(flat(320, 320))])
    many = predictions()
    many["predictions"][0, :, 4] = np.linspace(0.3, 0.9, 2100)
    many["predictions"][0, :, 0] = np.arange(2100) % 320
    many["predictions"][0, :, 1] = np.arange(2100) // 320
    many["predictions"][0, :, 2:4] = 0.5
    (found,) = chosen.postprocess(many)
    assert len(found) == 300
    assert found[0]["score"] == pytest.approx(0.9)
    assert [entry["score"] for entry in found] == sorted((entry["score"] for entry in found), reverse=True)


@pytest.mark.engine("torch")
def test_the_tiny_detector_gives_suppression_work_on_a_photograph() -> None:
    import torch

    from suites.catalogue import builtin
    from suites.pipelines.boxes import corners_of, suppress
    from tests.suites.conftest import conditioned

    module = conditioned(builtin("tiny-detector"))
    answers = []
    for name in CODECS:
        chosen = make("detect", name, "tiny-detector")
        feeds = chosen.preprocess([COFFEE])
        with torch.no_grad():
            found = module(torch.from_numpy(feeds["input"])).numpy()
        answers.append(chosen.postprocess({"predictions": found})[0])
        best, classes = found[0, :, 4:].max(axis=1), found[0, :, 4:].argmax(axis=1)
        above = best > 0.25
        assert 100 < above.sum() < 1500
        corners = corners_of(found[0, above, :4])
        kept = suppress(corners, best[above], classes[above], 0.45, 10_000)
        assert 30 < len(kept) < 0.9 * above.sum()
        assert len(set(classes[above])) > 5
    width, height = pixels(COFFEE).shape[1], pixels(COFFEE).shape[0]
    for answer in answers:
        boxes = np.array([entry["box"] for entry in answer])
        assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [width, height]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).mean() > 0.9


def test_what_does_not_fit_is_named() -> None:
    chosen = make("detect", "pillow", "tiny-detector")
    chosen.preprocess([COFFEE, CAT])
    with pytest.raises(PipelineError, match="'predictions' is missing"):
        chosen.postprocess({"boxes": np.zeros(3)})
    with pytest.raises(PipelineError, match=r"shape \[1, 2100, 24\], expected \[2, 2100, 24\]"):
        chosen.postprocess(predictions())
    bad = predictions(batch=2)
    bad["predictions"][1, 5, 2] = np.inf
    with pytest.raises(PipelineError, match="not finite, first for item 2 of 2"):
        chosen.postprocess(bad)
