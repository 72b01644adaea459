"""Classification: the crop against a reference written out, the answer against a softmax written out."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from suites.pipelines.pipeline import PipelineError
from tests.suites.pipelines.kit import CAT, CODECS, COFFEE, encoded, make


def by_hand(data: bytes, edge: int = 224, shorter: int = 256) -> np.ndarray:
    """Resized by Pillow, then pixel by pixel as the formula says."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    factor = shorter / min(picture.size)
    wide, high = round(picture.width * factor), round(picture.height * factor)
    small = picture.resize((wide, high), Image.Resampling.BILINEAR)
    left, top = (wide - edge) // 2, (high - edge) // 2
    crop = small.crop((left, top, left + edge, top + edge))
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    planes = np.empty((3, edge, edge))
    for y in range(edge):
        for x in range(edge):
            for channel, value in enumerate(crop.getpixel((x, y))):
                planes[channel, y, x] = (value / 255 - mean[channel]) / deviation[channel]
    return planes


@pytest.mark.parametrize("data", [COFFEE, CAT], ids=["coffee", "cat"])
def test_the_crop_is_that_of_the_formula(data: bytes) -> None:
    found = make("classify", "pillow", "resnet50").preprocess([data])["input"]
    assert found.shape == (1, 3, 224, 224)
    assert found[0] == pytest.approx(by_hand(data), abs=1e-5)


@pytest.mark.parametrize("data", [COFFEE, CAT], ids=["coffee", "cat"])
def test_the_libraries_agree(data: bytes) -> None:
    """In units of the normalised input: 0.02 is about 1 of 255."""
    one, other = (make("classify", name, "resnet50").preprocess([data])["input"] for name in CODECS)
    assert np.abs(one - other).mean() < 0.03
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("name", CODECS)
def test_a_smaller_model_takes_the_same_part(name: str) -> None:
    """The crop is 7/8 of the shorter side, whatever its size in pixels: a ramp differs by half of a small one."""
    ramp = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    large = make("classify", name, "resnet50").preprocess([encoded(ramp)])["input"]
    small = make("classify", name, "tiny-cnn").preprocess([encoded(ramp)])["input"]
    assert small.shape == (1, 3, 32, 32)
    assert small[0, 0, 16, 4:-4] == pytest.approx(large[0, 0, 112].reshape(32, 7).mean(axis=1)[4:-4], abs=0.1)


@pytest.mark.parametrize("name", CODECS)
def test_a_batch_is_its_items(name: str) -> None:
    chosen = make("classify", name, "resnet50")
    both = chosen.preprocess([COFFEE, CAT])["input"]
    assert np.array_equal(both[0], chosen.preprocess([COFFEE])["input"][0])
    assert np.array_equal(both[1], chosen.preprocess([CAT])["input"][0])
    assert not np.array_equal(both[0], both[1])


def test_the_five_most_probable_classes_come_first() -> None:
    chosen = make("classify", "pillow", "resnet50")
    chosen.preprocess([COFFEE, CAT])
    logits = np.random.default_rng(1).standard_normal((2, 1000)).astype(np.float32) * 3
    logits[1] += 500  # no overflow
    answer = chosen.postprocess({"logits": logits})
    for row, found in zip(logits.astype(float), answer, strict=True):
        powers = [math.exp(value - max(row)) for value in row]
        expected = sorted(
            ((power / sum(powers), -index) for index, power in enumerate(powers)), reverse=True
        )[:5]
        assert [entry["class"] for entry in found] == [-index for _, index in expected]
        assert [entry["probability"] for entry in found] == pytest.approx([p for p, _ in expected], rel=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_output_that_is_not_finite_names_the_item(bad: float) -> None:
    chosen = make("classify", "pillow", "tiny-cnn")
    chosen.preprocess([COFFEE, CAT])
    logits = np.zeros((2, 10), np.float32)
    logits[1, 3] = bad
    with pytest.raises(
        PipelineError, match="'logits' has 1 values that are not finite, first for item 2 of 2"
    ):
        chosen.postprocess({"logits": logits})


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "the output 'logits' is missing"),
        ({"other": np.zeros((1, 10))}, "the output 'logits' is missing"),
        ({"logits": np.zeros((2, 10))}, r"'logits' has the shape \[2, 10\], expected \[1, 10\]"),
        ({"logits": np.zeros((1, 9))}, r"'logits' has the shape \[1, 9\], expected \[1, 10\]"),
    ],
)
def test_outputs_that_do_not_fit(outputs: dict, message: str) -> None:
    chosen = make("classify", "pillow", "tiny-cnn")
    chosen.preprocess([COFFEE])
    with pytest.raises(PipelineError, match=message) as caught:
        chosen.postprocess(outputs)
    assert caught.value.hint
