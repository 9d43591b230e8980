import os
import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from ablate.data.reading import read_image
from ablate.errors import DataError

GREYS = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_grey_palette_and_transparent_images_become_rgb(tmp_path: Path) -> None:
    grey = Image.fromarray(GREYS)
    expected = np.stack([GREYS] * 3, axis=2)
    for name, image, options in (
        ("l", grey, {}),
        ("la", grey.convert("LA"), {}),
        ("rgba", Image.merge("RGBA", [grey, grey, grey, Image.new("L", grey.size, 7)]), {}),
        ("p", grey.convert("P"), {}),
        ("pt", grey.convert("P"), {"transparency": bytes(range(256))}),
        ("p1", grey.convert("P"), {"transparency": 0}),
    ):
        read = read_image(saved(image, tmp_path / f"{name}.png", **options))
        assert read.dtype == np.uint8, name
        assert read.flags.writeable, name
        np.testing.assert_array_equal(read, expected, err_msg=name)


@pytest.mark.parametrize("suffix", ["bmp", "pbm", "png", "tif"])
def test_images_of_one_bit_are_black_and_white(tmp_path: Path, suffix: str) -> None:
    path = saved(Image.fromarray(GREYS > 100), tmp_path / f"a.{suffix}")
    expected = np.stack([np.where(GREYS > 100, 255, 0)] * 3, axis=2)
    np.testing.assert_array_equal(read_image(path), expected)


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jp2", "jpg", "pgm", "png", "tif", "webp"])
def test_every_listed_format_is_read(tmp_path: Path, suffix: str) -> None:
    path = saved(Image.new("L", (20, 10), 120), tmp_path / f"a.{suffix}")
    image = read_image(path)
    assert image.shape == (10, 20, 3)
    assert abs(image.astype(int) - 120).max() <= 2


def test_images_deeper_than_8_bits_are_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.png"
    deep.write_bytes(png(2, 1, 16, 2, b"\0" + bytes(12)))  # Pillow shows it as plain RGB
    with pytest.raises(DataError, match=r"deep\.png has more than 8 bits a channel"):
        read_image(deep)
    float_tiff = saved(Image.new("F", (2, 2)), tmp_path / "float.tif")
    grey16 = saved(Image.fromarray(GREYS.astype(np.uint16)), tmp_path / "grey.png")
    for path, dtype in ((float_tiff, "float32"), (grey16, "uint16")):
        with pytest.raises(DataError, match=rf"{path.name} has 1 band of {dtype}, not 8-bit"):
            read_image(path)


def test_a_declared_bomb_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: decoded.append(image))
    limit = Image.MAX_IMAGE_PIXELS
    assert limit is not None
    for height in (limit // 10_000 + 1, 60_000):  # where Pillow warns, and where it raises
        path = tmp_path / "bomb.png"
        path.write_bytes(png(10_000, height, 8, 0, b"\0"))
        with pytest.raises(DataError, match=f"bomb.png declares more than {limit} pixels; cut"):
            read_image(path)
    assert decoded == []


def test_a_truncated_file_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(Image.effect_noise((64, 64), 50), tmp_path / "cut.png")
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(DataError, match=r"cut\.png cannot be read as an image \(.+\); replace"):
        read_image(path)


def test_a_missing_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")
    for name in ("text.png", "missing.png"):
        with pytest.raises(DataError, match=rf"{name} cannot be read as an image"):
            read_image(tmp_path / name)


def encoded(kind: str) -> bytes:
    buffer = BytesIO()
    Image.effect_noise((16, 16), 60).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


GOOD_FILES = {kind: encoded(kind) for kind in ("PNG", "TIFF", "JPEG", "GIF", "BMP", "WEBP")}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(sorted(GOOD_FILES)),
    place=st.floats(0, 1, exclude_max=True),
    junk=st.binary(min_size=1, max_size=6),
    cut=st.booleans(),
)
@example(kind="TIFF", place=0.0, junk=b"II*\0\xff\xff", cut=True)
def test_broken_files_give_an_image_or_a_clear_line(
    tmp_path: Path, kind: str, place: float, junk: bytes, cut: bool
) -> None:
    good = GOOD_FILES[kind]
    at = int(place * len(good))
    path = tmp_path / "broken.png"
    path.write_bytes(good[:at] + junk + (b"" if cut else good[at + len(junk) :]))
    try:
        outcome = str(read_image(path).shape)
    except DataError as error:
        outcome = str(error)
    assert re.fullmatch(rf"\(\d+, \d+, 3\)|{re.escape(str(path))} [^\n]+; [^\n]+", outcome)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_images_are_turned_as_viewers_show_them(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    corners = np.zeros((32, 64, 3), np.uint8)
    corners[:16, :32] = 200
    path = saved(Image.fromarray(corners), tmp_path / f"a.{suffix}", exif=exif)
    turned = {
        1: corners,
        2: corners[:, ::-1],
        3: corners[::-1, ::-1],
        4: corners[::-1],
        5: corners.transpose(1, 0, 2),
        6: np.rot90(corners, -1),
        7: corners[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(corners),
    }[orientation]
    read = read_image(path)
    assert read.shape == turned.shape
    assert abs(read[4::8, 4::8].astype(int) - turned[4::8, 4::8]).max() <= 20


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"x\.png is not a regular file; replace or remove it"):
        read_image(tmp_path / "x.png")


def test_what_has_several_pages_or_other_colours_is_refused(tmp_path: Path) -> None:
    grey = Image.fromarray(GREYS)
    for suffix in ("gif", "tif"):
        other = [Image.fromarray(255 - GREYS)]
        path = saved(grey, tmp_path / f"two.{suffix}", save_all=True, append_images=other)
        with pytest.raises(DataError, match=rf"two\.{suffix} has 2 pages; keep one of them"):
            read_image(path)
    with pytest.raises(DataError, match=r"print\.jpg is in the colours CMYK; convert it to RGB"):
        read_image(saved(Image.new("CMYK", (4, 4)), tmp_path / "print.jpg"))
