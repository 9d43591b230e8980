"""What of the HDF5 files of Landslide4Sense is refused, in one line, and what is not."""

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from landslide4sense_files import DATA, labels, refusal, values, write

from ablate.data import open_images
from ablate.data.hdf5 import read_array
from ablate.errors import DataError

# What is refused -----------------------------------------------------------------------------


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every reading of values fail."""
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *_: pytest.fail("values were read"))


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((10**7, 10**7, 14), "10000000×10000000×14"),
        ((128, 128, 3), "128×128×3"),
        ((14, 128, 128), "14×128×128"),
        ((128, 128), "128×128"),
        ((), "of a single value"),
    ],
)
@pytest.mark.usefixtures("unread")
def test_another_shape_is_refused_unread(
    root: Path, image: Path, shape: tuple[int, ...], shown: str
) -> None:
    chunks = (64, 64, 14) if shape and shape[0] > 1000 else None
    with h5py.File(image, "w") as file:
        file.create_dataset("img", shape=shape, dtype="f8", chunks=chunks)
    assert f"'img' in {image} has the shape {shown}, not 128×128×14; " in refusal(root)


def test_a_mask_of_another_size(root: Path, mask: Path) -> None:
    write(mask, "mask", np.zeros((64, 64), np.uint8))
    assert f"'mask' in {mask} has the shape 64×64, not 128×128; " in refusal(root)


@pytest.mark.parametrize(
    "kind", ["S4", "V8", "c16", h5py.string_dtype(), h5py.ref_dtype, [("a", "f8")]], ids=str
)
@pytest.mark.usefixtures("unread")
def test_what_is_not_numbers_is_refused_unread(root: Path, image: Path, kind: object) -> None:
    with h5py.File(image, "w") as file:
        file.create_dataset("img", shape=(128, 128, 14), dtype=kind)
    assert f"'img' in {image} holds " in refusal(root)


@pytest.mark.usefixtures("unread")
def test_chunks_larger_than_the_array_are_refused_unread(root: Path, image: Path) -> None:
    with h5py.File(image, "w") as file:
        file.create_dataset(
            "img",
            shape=(128, 128, 14),
            maxshape=(None, None, None),
            chunks=(4096, 4096, 28),
            dtype="f8",
            compression="gzip",
        )
    assert f"is stored in chunks of {4096 * 4096 * 28 * 8} bytes, more than" in refusal(root)


def test_a_huge_file_is_refused_unopened(
    root: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5py, "File", lambda *_, **__: pytest.fail("the file was opened"))
    with image.open("r+b") as file:
        file.truncate(2**30)
    assert refusal(root) == f"{image} has {2**30} bytes, more than {2**24}; replace the file"


def test_a_missing_key(root: Path, image: Path) -> None:
    write(image, "image", values(1))
    assert refusal(root).startswith(f"{image} has no array 'img', it holds 'image'; ")
    with h5py.File(image, "w") as file:
        file.create_group("img")
    assert refusal(root).startswith(f"'img' in {image} is not an array; ")


@pytest.mark.usefixtures("unread")
def test_no_other_file_is_followed(root: Path, image: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.h5"
    write(elsewhere, "img", values(1))
    shape = (128, 128, 14)
    for link in (h5py.ExternalLink(elsewhere, "/img"), h5py.SoftLink("/hidden")):
        with h5py.File(image, "w") as file:
            file["hidden"] = h5py.ExternalLink(elsewhere, "/img")
            file["img"] = link
        assert refusal(root).startswith(f"'img' in {image} is a link to something else; store")
    layout = h5py.VirtualLayout(shape=shape, dtype="f8")
    layout[:] = h5py.VirtualSource(elsewhere, "img", shape=shape)
    with h5py.File(image, "w") as file:
        file.create_virtual_dataset("img", layout)
    assert refusal(root).startswith(f"'img' in {image} takes its values from other files; store")
    with h5py.File(image, "w") as file:
        raw = [(str(elsewhere), 0, 128 * 128 * 14 * 8)]
        file.create_dataset("img", shape=shape, dtype="f8", external=raw)
    assert refusal(root).startswith(f"'img' in {image} takes its values from other files; store")


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.999])
def test_truncated_files(root: Path, image: Path, share: float) -> None:
    whole = image.read_bytes()
    image.write_bytes(whole[: int(share * len(whole))])
    assert refusal(root).startswith(f"{image} cannot be read as HDF5 (")


def test_what_is_not_hdf5(root: Path, image: Path) -> None:
    image.write_text("<!DOCTYPE html>\n<html>Please log in</html>\n" * 200)
    assert refusal(root).startswith(f"{image} cannot be read as HDF5 (")
    image.unlink()
    image.touch()
    images = open_images(DATA, root)
    image.unlink()
    with pytest.raises(DataError, match=r"image_1\.h5 cannot be read as HDF5 \(.*No such file"):
        images.load(0)


def test_damaged_compressed_values(root: Path, image: Path) -> None:
    write(image, "img", values(1), compression="gzip")
    whole = bytearray(image.read_bytes())
    whole[-3000:-2000] = bytes(1000)
    image.write_bytes(whole)
    assert refusal(root).startswith(f"{image} cannot be read as HDF5 (")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(root: Path, image: Path, value: float) -> None:
    shown = values(1)
    shown[3, 4, 13] = value  # nothing that is shown
    write(image, "img", shown)
    open_images(DATA, root).load(0)
    shown[3, 4, 2] = value
    write(image, "img", shown)
    assert "holds NaN or infinite values in the channels 3, 2, 1; replace" in refusal(root)


@pytest.mark.parametrize("value", [2, 255, -1, 0.5, np.nan])
def test_masks_of_other_values_than_0_and_1(root: Path, mask: Path, value: float) -> None:
    pixels = labels(3).astype(np.float32)
    pixels[70, 80] = value
    write(mask, "mask", pixels)
    assert f"'mask' in {mask} holds {np.float32(value)}, not only 0 and 1; " in refusal(root)


# What swells ----------------------------------------------------------------------------------


def write_chunk(path: Path, content: bytes, **options: object) -> None:
    with h5py.File(path, "w") as file:
        array = file.create_dataset("img", (128, 128, 14), "f8", chunks=(128, 128, 14), **options)
        array.id.write_direct_chunk((0, 0, 0), content)


def test_a_chunk_that_unpacks_to_more_than_it_is_is_refused(root: Path, image: Path) -> None:
    declared = 128 * 128 * 14 * 8
    write_chunk(image, zlib.compress(bytes(8 * declared)), compression="gzip")
    assert f"unpacks to more than the {declared + 4} bytes that it is declared" in refusal(root)
    # A checksum behind the values is none of them.
    write_chunk(image, zlib.compress(bytes(declared)) + bytes(4), compression="gzip")
    assert read_array(image, "img", (128, 128, 14), "f").shape == (128, 128, 14)


def test_a_chunk_that_is_stored_larger_than_it_is_is_refused(root: Path, image: Path) -> None:
    write_chunk(image, bytes(3 * 128 * 128 * 14 * 8), compression="lzf")
    assert "unpacks to more than" in refusal(root)


def test_two_compressions_one_after_the_other_are_refused(root: Path, image: Path) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((128, 128, 14))
    for _ in range(2):
        plist.set_deflate(9)
    with h5py.File(image, "w") as file:
        space = h5py.h5s.create_simple((128, 128, 14))
        h5py.h5d.create(file.id, b"img", h5py.h5t.NATIVE_DOUBLE, space, plist)
    assert "is compressed in a way that is not read; store it uncompressed, or by" in refusal(root)


def test_too_many_chunks_are_refused(root: Path, image: Path) -> None:
    with h5py.File(image, "w") as file:
        file.create_dataset("img", (128, 128, 14), "f8", chunks=(1, 1, 1))
    assert f"is stored in {128 * 128 * 14} chunks, more than 4096" in refusal(root)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "lzf", "fletcher32": True},
        {"chunks": (16, 16, 14), "compression": "gzip"},
        {"shuffle": True},
    ],
    ids=str,
)
def test_all_that_h5py_writes_by_itself_is_read(image: Path, options: dict[str, object]) -> None:
    write(image, "img", values(1), **options)
    np.testing.assert_array_equal(read_array(image, "img", (128, 128, 14), "f"), values(1))
