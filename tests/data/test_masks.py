from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from ablate.data.masks import read_mask
from ablate.errors import DataError
from ablate.spec import FoldersData, MaskValues

BLACK_WHITE = np.array([[0, 0, 255], [255, 0, 255]], np.uint8)
SHAPES = np.zeros((64, 64), np.uint8)
SHAPES[10:40, 10:40] = 255


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def palette(indices: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.fromarray(indices).convert("L")
    indexed = Image.frombytes("P", image.size, image.tobytes())
    indexed.putpalette(colours)
    return indexed


def declared(**values: Any) -> FoldersData:
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    rule = MaskValues.model_validate(values)
    return FoldersData(kind="folders", images="image", masks="mask", mask_values=rule)


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
    mask, value = read_mask(saved(make(BLACK_WHITE), tmp_path / "m.png"))
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, BLACK_WHITE > 0)
    assert value in (255, 127)


def test_a_mask_of_zeros_and_ones_is_read_as_it_is(tmp_path: Path) -> None:
    zeros_and_ones = Image.fromarray((BLACK_WHITE > 0).astype(np.uint8))
    mask, value = read_mask(saved(zeros_and_ones, tmp_path / "m.tif"))
    assert value == 1
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


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("bmp", {}),
        ("gif", {}),
        ("webp", {"lossless": True}),
        ("jp2", {}),
        ("pgm", {}),
    ],
)
def test_masks_of_every_lossless_format(
    tmp_path: Path, suffix: str, options: dict[str, object]
) -> None:
    mask, value = read_mask(saved(Image.fromarray(SHAPES), tmp_path / f"m.{suffix}", **options))
    np.testing.assert_array_equal(mask, SHAPES > 0)
    assert value == 255


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32", "float64"])
def test_masks_of_other_numbers(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "m.tif", (SHAPES // 255).astype(dtype))
    mask, value = read_mask(tmp_path / "m.tif")
    np.testing.assert_array_equal(mask, SHAPES > 0)
    assert value == 1


def test_halos_of_lossy_compression_are_refused(tmp_path: Path) -> None:
    image = Image.fromarray(SHAPES)
    jpeg = saved(image, tmp_path / "a.jpg", quality=60)
    lossy = [
        saved(Image.open(jpeg), tmp_path / "of-jpeg.png"),
        saved(image, tmp_path / "jpeg.tif", compression="jpeg", quality=60),
        saved(image, tmp_path / "a.jp2", quality_mode="rates", quality_layers=[20]),
        saved(image, tmp_path / "a.webp", quality=20),
    ]
    for path in lossy:
        with pytest.raises(DataError, match=rf"{path.name} holds \d+ values .*threshold: 127"):
            read_mask(path)
    for path in (jpeg, *lossy):
        mask, value = read_mask(path, declared(threshold=127))
        assert np.mean(mask != (SHAPES > 0)) < 0.03, path
        assert value is None


def test_more_values_than_two_are_to_be_declared(tmp_path: Path) -> None:
    classes = np.array([[0, 1, 2], [255, 1, 0]], np.uint8)
    path = saved(Image.fromarray(classes), tmp_path / "m.png")
    with pytest.raises(
        DataError,
        match=r"m\.png holds the values 0, 1, 2, 255; .*data: \{kind: folders, images: image, "
        r"masks: mask, mask_values: \{positive: \[1\], negative: \[0, 2, 255\]\}\}",
    ):
        read_mask(path, FoldersData(kind="folders", images="image", masks="mask"))
    with pytest.raises(DataError, match=r"m\.png holds 255, neither positive nor negative in"):
        read_mask(path, declared(positive=[1, 2]))
    mask, _ = read_mask(path, declared(positive=[1, 2], negative=[0, 255]))
    np.testing.assert_array_equal(mask, (classes == 1) | (classes == 2))
    mask, _ = read_mask(path, declared(positive=[0], negative=[1, 2, 255]))
    np.testing.assert_array_equal(mask, classes == 0)


def test_a_palette_whose_background_is_not_the_first(tmp_path: Path) -> None:
    indices = (SHAPES == 0).astype(np.uint8)
    path = saved(palette(indices, [255, 0, 0, 0, 0, 0]), tmp_path / "m.png")
    with pytest.raises(DataError, match=r"index 0 is not black, and holds the indices 0, 1;"):
        read_mask(path)
    mask, _ = read_mask(path, declared(positive=[0], negative=[1]))
    np.testing.assert_array_equal(mask, SHAPES > 0)
    with pytest.raises(DataError, match="palette of colours, which has no threshold"):
        read_mask(path, declared(threshold=127))


def test_values_that_are_no_classes_are_refused(tmp_path: Path) -> None:
    for value, why in (
        (np.nan, "NaN or infinite"),
        (0.5, "no class value"),
        (-1, "no class value"),
    ):
        tifffile.imwrite(tmp_path / "m.tif", np.array([[0, value]], np.float32))
        with pytest.raises(DataError, match=rf"m\.tif holds .*{why}"):
            read_mask(tmp_path / "m.tif")
    bands = np.zeros((4, 4, 5), np.uint16)
    tifffile.imwrite(tmp_path / "m.tif", bands, photometric="minisblack", planarconfig="contig")
    with pytest.raises(DataError, match=r"m\.tif has 5 bands of uint16; keep one of them"):
        read_mask(tmp_path / "m.tif")


def test_what_is_marked_as_no_data_is_not_taken_for_positive(tmp_path: Path) -> None:
    marked = [(42113, "s", 0, "255", True)]
    tifffile.imwrite(tmp_path / "m.tif", SHAPES.astype(np.int16), extratags=marked)
    with pytest.raises(DataError, match=r"m\.tif marks 255 as no data, and training ignores no"):
        read_mask(tmp_path / "m.tif")
    mask, _ = read_mask(tmp_path / "m.tif", declared(positive=[255]))
    np.testing.assert_array_equal(mask, SHAPES > 0)


def test_masks_are_turned_like_images(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(Image.fromarray(BLACK_WHITE), tmp_path / "m.png", exif=exif)
    np.testing.assert_array_equal(read_mask(path)[0], np.rot90(BLACK_WHITE, -1) > 0)
