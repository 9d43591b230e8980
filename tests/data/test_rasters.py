import lzma
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from holdouts import RELEASED
from PIL import Image

from ablate.data import identify, open_images, verify
from ablate.data.pairs import PairedFiles
from ablate.data.reading import read_bands, read_image
from ablate.errors import DataError
from ablate.spec import FoldersData, LinearScale, PercentileScale

RANDOM = np.random.default_rng(0)
LINEAR = LinearScale(kind="linear", low=0, high=3000)
Writer = Callable[..., Path]


def folders(**declared: Any) -> FoldersData:
    return FoldersData(kind="folders", images="images", masks="masks", **declared)


def write_rasters(root: Path, dtype: str = "uint16", bands: int = 5) -> Path:
    """Four rasters, each brighter than the one before, and their masks."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for index, name in enumerate("abcd"):
        values = RANDOM.integers(0, 1000, (16, 16, bands)) + 500 * index
        write(root / f"images/{name}.tif", values.astype(dtype))
        mask = np.zeros((16, 16), np.uint8)
        mask[: index + 2] = 255
        Image.fromarray(mask).save(root / f"masks/{name}.png")
    return root


def write(path: Path, values: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(
        path, values, photometric="minisblack", **({"planarconfig": "contig"} | options)
    )
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"planarconfig": "separate"}])
def test_bands_of_every_type_are_read_as_declared(
    tmp_path: Path, dtype: str, options: dict[str, str]
) -> None:
    values = RANDOM.integers(0, 255, (9, 7, 5)).astype(dtype)
    if options.get("planarconfig"):
        path = write(tmp_path / "a.tif", np.moveaxis(values, -1, 0), **options)
    else:
        path = write(tmp_path / "a.tif", values, **options)
    read, is_data = read_bands(path, folders(bands=(3, 2, 1), scale=LINEAR))
    np.testing.assert_array_equal(read, values[..., [3, 2, 1]])
    assert is_data.all()


@pytest.mark.parametrize("compress", ["lzw", "deflate", "jpeg", "packbits"])
def test_geotiff_of_every_usual_compression(tmp_path: Path, compress: str) -> None:
    rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")
    values = np.full((5, 32, 32), 100, np.uint8 if compress == "jpeg" else np.uint16)
    values[2] = 50
    place = rasterio.Affine(10, 0, 500000, 0, -10, 3000000)
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", width=32, height=32, count=5, dtype=values.dtype,
        compress=compress, interleave="band", crs="EPSG:32648", transform=place,
    ) as file:  # fmt: skip
        file.write(values)
    read, _ = read_bands(tmp_path / "a.tif", folders(bands=(3, 2, 1), scale=LINEAR))
    assert abs(read.astype(int) - [100, 50, 100]).max() <= 1


def test_what_needs_rasterio_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((8, 8), np.float32)).save(path, compression="tiff_lzw")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(DataError, match=r"a\.tif is compressed by LZW, .*'ablate\[geo\]'"):
        read_bands(path, folders(scale=LINEAR))


def test_without_a_declaration_the_yaml_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.zeros((4, 4, 7), np.float64))
    with pytest.raises(
        DataError,
        match=r"a\.tif has 7 bands of float64, not 8-bit .* data: \{kind: folders, images: images, "
        r"masks: masks, bands: \[0, 1, 2\], scale: \{kind: percentiles, low: 2, high: 98\}\}",
    ):
        read_image(path, folders())
    with pytest.raises(DataError, match=r"has 7 bands of float64.*scale"):
        read_bands(path, folders(bands=(0, 1, 2)))
    with pytest.raises(
        DataError, match="has 7 bands, counted from 0; the protocol declares band 7"
    ):
        read_bands(path, folders(bands=(0, 1, 7), scale=LINEAR))


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    values = np.zeros((4, 4, 3), np.float32)
    values[1, 1, 2] = np.nan
    path = write(tmp_path / "a.tif", values)
    with pytest.raises(DataError, match=r"a\.tif holds NaN or infinite values in the bands 0, 1"):
        read_bands(path, folders(scale=LINEAR))


def test_a_linear_scale_rounds_and_clips_and_no_data_is_black(tmp_path: Path) -> None:
    write_rasters(tmp_path)
    values = np.array([[0, 1500, 3000, 6000, 77]] * 2, np.uint16)[..., None].repeat(3, axis=2)
    marked = [(42113, "s", 0, "77", True)]
    write(tmp_path / "images/a.tif", values, extratags=marked)
    Image.new("L", (5, 2), 255).save(tmp_path / "masks/a.png")
    image, _ = open_images(folders(scale=LINEAR), tmp_path).load(0)
    np.testing.assert_array_equal(image[0, :, 0], [0, 128, 255, 255, 0])


def test_grey_of_16_bits_is_read_by_a_scale_alone(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path, ("a",))
    grey = np.full((9, 12), 3000, np.uint16)
    Image.fromarray(grey).save(tmp_path / "images/a.png")
    assert (open_images(folders(scale=LINEAR), tmp_path).load(0)[0] == 255).all()


def test_percentiles_are_of_the_training_images_alone(tmp_path: Path) -> None:
    write_rasters(tmp_path)
    scale = PercentileScale(kind="percentiles", low=0, high=100)
    data = folders(bands=(4, 0, 1), scale=scale)

    def fitted(*train: int) -> PairedFiles:
        images = open_images(data, tmp_path)
        assert isinstance(images, PairedFiles)
        images.fit(train)
        return images

    images = fitted(0, 1)
    stored = [tifffile.imread(tmp_path / f"images/{name}.tif")[..., 4] for name in "ab"]
    low, high = np.min(stored), np.max(stored)
    expected = np.rint((stored[1].astype(float) - low) / (high - low) * 255)
    np.testing.assert_array_equal(images.load(1)[0][..., 0], expected)
    assert images.digest() == fitted(1, 0).digest() != fitted(0, 2).digest()
    with pytest.raises(DataError, match=r"percentiles that scale .* are not known before"):
        open_images(data, tmp_path).load(0)
    digest = identify(open_images(data, tmp_path), RELEASED).digest
    write(tmp_path / "images/a.tif", np.zeros((16, 16, 5), np.uint16))
    assert identify(open_images(data, tmp_path), RELEASED).digest != digest


def test_a_declaration_is_part_of_the_digest(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path)
    plain = open_images(folders(), tmp_path).digest()
    digests = {
        open_images(folders(**declared), tmp_path).digest()
        for declared in ({"bands": (0, 1, 2)}, {"scale": LINEAR}, {"bands": (2, 1, 0)})
    }
    assert len(digests | {plain}) == 4


def test_every_pair_is_read_once(
    tmp_path: Path, write_pairs: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pairs(tmp_path)
    digests = tmp_path / "cache/digests.json"
    read = []
    check = PairedFiles.check
    monkeypatch.setattr(
        PairedFiles, "check", lambda images, index: read.append(index) or check(images, index)
    )
    verify(open_images(folders(), tmp_path), digests)
    verify(open_images(folders(), tmp_path), digests)
    assert read == [0, 1, 2]
    Image.fromarray(np.tile(np.uint8([0, 1, 2]), (9, 4))).save(tmp_path / "masks/c.png")
    os.utime(tmp_path / "masks/c.png", (1e9, 1e9))
    for _ in range(2):
        with pytest.raises(DataError, match=r"c\.png holds the values 0, 1, 2"):
            verify(open_images(folders(), tmp_path), digests)


def test_masks_that_hold_another_class_each_are_refused(
    tmp_path: Path, write_pairs: Writer
) -> None:
    write_pairs(tmp_path)
    Image.new("L", (12, 9), 2).save(tmp_path / "masks/b.png")
    with pytest.raises(
        DataError, match=r"a\.png holds 255 besides 0, mask .*b\.png holds 2;.*positive: \[255, 2\]"
    ):
        verify(open_images(folders(), tmp_path), None)


# What swells ----------------------------------------------------------------------------------


def write_tags(path: Path, tags: dict[int, int], data: bytes = b"", pages: int = 1) -> Path:
    """A TIFF of these tags; what lies at its data's place is ``data``."""
    size = 2 + 12 * len(tags) + 4
    content = b"II*\0" + struct.pack("<I", 8)
    for page in range(1, pages + 1):
        content += struct.pack("<H", len(tags))
        for tag, value in sorted(tags.items()):
            at = 8 + size * pages if value == DATA else value
            content += struct.pack("<HHII", tag, 4, 1, at)
        content += struct.pack("<I", 8 + size * page if page < pages else 0)
    path.write_bytes(content + data)
    return path


DATA = -1
# Width, height, bits, compression, grey, bands.
GREY = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 277: 1}


@pytest.mark.parametrize(
    ("compression", "packed"),
    [
        (8, zlib.compress(bytes(2**24))),
        (32946, zlib.compress(bytes(2**24))),
        (34925, lzma.compress(bytes(2**26), preset=0)),
    ],
    ids=["deflate", "old deflate", "lzma"],
)
def test_a_strip_that_unpacks_to_more_than_it_is_is_refused(
    tmp_path: Path, compression: int, packed: bytes
) -> None:
    strip = GREY | {259: compression, 273: DATA, 278: 64, 279: len(packed)}
    path = write_tags(tmp_path / "a.tif", strip, packed)
    with pytest.raises(DataError, match="unpacks to more than the 4096 bytes that it is declared"):
        read_bands(path, folders(bands=(0, 0, 0), scale=LINEAR))


def test_more_tiles_than_anyone_reads_are_refused(tmp_path: Path) -> None:
    tiles = GREY | {256: 9000, 257: 9000, 322: 1, 323: 1, 324: DATA, 325: 10}
    path = write_tags(tmp_path / "a.tif", tiles, b"x" * 10)
    with pytest.raises(DataError, match="in 81000000 strips or tiles, more than 262144"):
        read_image(path)


def test_pages_without_end_are_refused(tmp_path: Path) -> None:
    overviews = GREY | {254: 1, 273: 8, 278: 64, 279: 8}
    path = write_tags(tmp_path / "a.tif", overviews, pages=70)
    with pytest.raises(DataError, match=r"a\.tif has more than 64 pages; keep one of them"):
        read_image(path)


def test_a_large_strip_that_is_what_it_says_is_read(tmp_path: Path) -> None:
    values = RANDOM.integers(0, 255, (300, 300, 3)).astype("uint8")
    options = {"compression": "zlib", "rowsperstrip": 300, "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    assert (tmp_path / "a.tif").stat().st_size > 2**26 // 2**13
    read, _ = read_bands(tmp_path / "a.tif", folders(bands=(0, 1, 2), scale=LINEAR))
    np.testing.assert_array_equal(read, values)
