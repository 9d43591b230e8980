import re
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from ablate.data.reading import read_image, read_mask
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


def palette(image: np.ndarray, colours: list[int]) -> Image.Image:
    picture = Image.fromarray(image).convert("L")
    indexed = Image.frombytes("P", picture.size, picture.tobytes())
    indexed.putpalette(colours)
    return indexed


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


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jp2", "jpg", "pgm", "png", "tif", "webp"])
def test_every_listed_format_is_read(tmp_path: Path, suffix: str) -> None:
    path = saved(Image.new("L", (20, 10), 120), tmp_path / f"a.{suffix}")
    image = read_image(path)
    assert image.shape == (10, 20, 3)
    assert abs(image.astype(int) - 120).max() <= 2


def test_images_deeper_than_8_bits_are_refused(tmp_path: Path) -> None:
    deep = tmp_path / "deep.png"
    deep.write_bytes(png(2, 1, 16, 2, b"\0" + bytes(12)))  # Pillow shows it as plain RGB
    float_tiff = saved(Image.new("F", (2, 2)), tmp_path / "float.tif")
    grey16 = saved(Image.fromarray(GREYS.astype(np.uint16)), tmp_path / "grey.png")
    for path in (deep, float_tiff, grey16):
        for read in (read_image, read_mask):
            with pytest.raises(DataError, match=rf"{path.name} has more than 8 bits a channel"):
                read(path)


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


BLACK_WHITE = np.array([[0, 0, 255], [255, 0, 1]], np.uint8)


@pytest.mark.parametrize(
    "make",
    [
        lambda levels: Image.fromarray(levels),
        lambda levels: Image.fromarray(np.stack([levels] * 3, axis=2)),
        lambda levels: Image.fromarray(levels).convert("LA"),
        lambda levels: Image.fromarray(levels).convert("RGBA"),
        lambda levels: Image.fromarray(levels > 0),
        lambda levels: palette(levels // 2, [0, 0, 0, *[200, 10, 10] * 255]),
        # Greys stored the other way round: what one sees counts, not the number.
        lambda levels: palette(np.where(levels, 0, 1).astype(np.uint8), [255] * 3 + [0] * 3),
    ],
    ids=["grey", "rgb", "grey-alpha", "rgba", "1-bit", "classes", "inverted-palette"],
)
def test_masks_of_every_accepted_kind(
    tmp_path: Path, make: Callable[[np.ndarray], Image.Image]
) -> None:
    levels = BLACK_WHITE.copy()
    levels[levels == 1] = 2
    mask = read_mask(saved(make(levels), tmp_path / "m.png"))
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, levels > 0)


def test_a_mask_of_zeros_and_ones_is_read_as_it_is(tmp_path: Path) -> None:
    mask = read_mask(saved(Image.fromarray((BLACK_WHITE > 0).astype(np.uint8)), tmp_path / "m.tif"))
    np.testing.assert_array_equal(mask, BLACK_WHITE > 0)


def test_ambiguous_masks_are_refused(tmp_path: Path) -> None:
    coloured = saved(Image.new("RGB", (3, 3), (255, 0, 0)), tmp_path / "red.png")
    with pytest.raises(DataError, match=r"red\.png is coloured \(mode RGB\); save it as 8-bit"):
        read_mask(coloured)
    lossy = saved(Image.fromarray(BLACK_WHITE), tmp_path / "lossy.jpg")
    with pytest.raises(DataError, match=r"lossy\.jpg is a JPEG"):
        read_mask(lossy)
    see_through = saved(Image.new("LA", (3, 3), (255, 0)), tmp_path / "glass.png")
    with pytest.raises(DataError, match=r"glass\.png is partly transparent"):
        read_mask(see_through)
