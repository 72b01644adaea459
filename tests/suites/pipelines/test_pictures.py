"""Both codecs decode every kind of picture alike, or refuse it with the item's name and the reason."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from suites.pipelines.pictures import codec
from suites.pipelines.pipeline import PipelineError
from tests.suites.pipelines.kit import CAT, CODECS, COFFEE, encoded, flat, make, pixels

QUARTERS = np.zeros((40, 60, 3), np.uint8)
QUARTERS[:20, :30], QUARTERS[:20, 30:], QUARTERS[20:, :30] = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def decoded(implementation: str, data: bytes):
    chosen = codec(implementation, "classify")
    picture = chosen.decode(data)
    width, height = chosen.size(picture)
    return chosen.resized(picture, width, height)


@pytest.mark.parametrize("data", [COFFEE, CAT], ids=["coffee", "cat"])
def test_the_libraries_decode_a_photograph_alike(data: bytes) -> None:
    one, other = (decoded(name, data).astype(int) for name in CODECS)
    assert one.shape == other.shape == pixels(data).shape
    assert np.abs(one - other).max() <= 2


@pytest.mark.parametrize("size", [(300, 200), (384, 256), (86, 57)])
def test_the_libraries_shrink_a_photograph_alike(size: tuple[int, int]) -> None:
    """Means over areas against a triangle of twice the width: alike on the whole, apart at sharp edges."""
    small = []
    for name in CODECS:
        chosen = codec(name, "classify")
        small.append(chosen.resized(chosen.decode(COFFEE), *size).astype(int))
        assert small[-1].shape == (size[1], size[0], 3)
    difference = np.abs(small[0] - small[1])
    assert difference.mean() < 2.5
    assert np.percentile(difference, 99) < 20
    assert abs(small[0].mean() - small[1].mean()) < 0.5


@pytest.mark.parametrize("name", CODECS)
def test_shrinking_takes_the_mean_of_what_it_covers(name: str) -> None:
    """Without that a fine chequer would come out as noise, or as one of its two colours."""
    chequer = np.repeat((np.indices((64, 64)).sum(axis=0) % 2 * 200).astype(np.uint8)[..., None], 3, axis=2)
    chosen = codec(name, "classify")
    assert np.abs(chosen.resized(chosen.decode(encoded(chequer)), 16, 16).astype(int) - 100).max() <= 13


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF", "WEBP", "TIFF"])
def test_formats(name: str, form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    assert np.abs(decoded(name, encoded(QUARTERS, form, **options)).astype(int) - QUARTERS).max() <= 1


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    ("form", "mode"),
    [
        ("JPEG", "CMYK"),
        ("PNG", "P"),
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("PNG", "L"),
        ("JPEG", "L"),
        ("PNG", "1"),
    ],
)
def test_other_kinds_of_pixels_become_rgb(name: str, form: str, mode: str) -> None:
    grey = mode in ("LA", "L", "1")
    source = flat(32, 24, (255, 255, 255) if mode == "1" else (180, 180, 180) if grey else (204, 102, 51))
    found = decoded(name, encoded(source, form, mode))
    assert found.shape == (24, 32, 3)
    # The colour is one of Pillow's palette. OpenCV and Pillow convert inks to light by slightly different sums.
    assert np.abs(found.astype(int) - source).max() <= (12 if mode == "CMYK" else 2)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [(1, QUARTERS), (3, np.rot90(QUARTERS, 2)), (6, np.rot90(QUARTERS, -1)), (8, np.rot90(QUARTERS))],
)
def test_a_picture_is_turned_as_its_orientation_says(name: str, orientation: int, turned) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decoded(name, encoded(QUARTERS, "JPEG", quality=95, subsampling=0, exif=exif)).astype(int)
    assert found.shape == turned.shape
    assert np.median(np.abs(found - turned)) <= 2


BAD = {
    "empty": b"",
    "text": b"this is no picture",
    "cut JPEG": COFFEE[: len(COFFEE) // 2],
    "cut header": COFFEE[:30],
    "cut PNG": encoded(QUARTERS)[:-30],
    "damaged PNG": encoded(QUARTERS)[:50] + b"\0" * 20 + encoded(QUARTERS)[70:],
}


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_picture_is_named(name: str, kind: str) -> None:
    chosen = make("classify", name, "tiny-cnn")
    with pytest.raises(PipelineError, match=r"^picture 2 of 3 ") as caught:
        chosen.preprocess([COFFEE, BAD[kind], CAT])
    assert caught.value.hint
    assert len(caught.value.message) < 300
    assert list(chosen.preprocess([COFFEE])) == ["input"]


def test_pillow_refuses_sixteen_bits_rather_than_cut_them_off() -> None:
    data = encoded(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16)
    with pytest.raises(PipelineError, match=r"picture 1 of 1 .* more than 8 bits a channel"):
        make("classify", "pillow", "tiny-cnn").preprocess([data])
    wide = make("classify", "opencv", "tiny-cnn").preprocess([data])["input"]
    assert wide.std() > 0.5


def bomb(width: int, height: int) -> bytes:
    """A PNG of one colour whose header claims many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(width // 8 + 1) * 64, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("size", [(8000, 8000), (60_000, 60_000)])
def test_a_huge_picture_is_refused_before_it_is_decoded(name: str, size: tuple[int, int], tmp_path) -> None:
    """In a process of its own: the guard of OpenCV is read when it is loaded, and memory is limited."""
    (tmp_path / "bomb.png").write_bytes(bomb(*size))
    script = f"""
import resource, sys
from tests.suites.pipelines.kit import make
chosen = make("detect", {name!r}, "tiny-detector")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 150_000_000, used + 150_000_000))
from suites.pipelines.pipeline import PipelineError
try:
    chosen.preprocess([open(sys.argv[1], "rb").read()])
except PipelineError as error:
    print(error.message)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "bomb.png")]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "picture 1 of 1 " in found and "cannot be decoded" in found


@pytest.mark.parametrize("name", CODECS)
def test_a_very_narrow_picture_is_refused_before_it_is_resized(name: str) -> None:
    chosen = make("classify", name, "resnet50")
    with pytest.raises(PipelineError, match=r"picture 1 of 1 has 2000 x 1 pixels.*512000 x 256"):
        chosen.preprocess([encoded(flat(2000, 1))])


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 1)])
def test_a_picture_of_one_pixel_works(name: str, size: tuple[int, int]) -> None:
    crop = make("classify", name, "tiny-cnn").preprocess([encoded(flat(*size))])["input"]
    assert np.ptp(crop, axis=(2, 3)).max() < 0.02
    square = make("detect", name, "tiny-detector").preprocess([encoded(flat(*size))])["input"]
    assert square[0, :, 160, 160] == pytest.approx(np.array([200, 100, 50]) / 255, abs=0.01)
