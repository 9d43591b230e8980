import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from holdouts import RELEASED

from ablate.data import detect, identify, open_images, prepare, split
from ablate.data.hdf5 import read_array
from ablate.errors import DataError
from ablate.registry import Catalogue
from ablate.spec import FoldersData, Landslide4SenseData

DATA = Landslide4SenseData(kind="landslide4sense", scale=25.5)
LAYOUTS = [
    ("TrainData/img", "TrainData/mask"),
    ("TrainData/images", "TrainData/annotations"),
    ("images/train", "annotations/train"),
]


def values(number: int) -> np.ndarray:
    """Shape 128x128x14; channel c holds c and a little more."""
    noise = np.random.default_rng(number).random((128, 128, 14))
    return np.arange(14) + 0.9 * noise


def labels(number: int) -> np.ndarray:
    """Shape 128x128; the mask of number 1 is empty."""
    mask = np.zeros((128, 128), np.uint8)
    mask[: number - 1, :5] = 1
    return mask


def write(path: Path, key: str, array: np.ndarray, **options: object) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset(key, data=array, **options)


def write_set(
    root: Path, numbers: tuple[int, ...] = (1, 2, 10), layout: tuple[str, str] = LAYOUTS[0]
) -> Path:
    images, masks = (root / name for name in layout)
    for folder in (images, masks):
        folder.mkdir(parents=True)
    for number in numbers:
        write(images / f"image_{number}.h5", "img", values(number))
        write(masks / f"mask_{number}.h5", "mask", labels(number))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_set(tmp_path / "L4S")


@pytest.fixture
def image(root: Path) -> Path:
    """The file of the first image."""
    return root / "TrainData/img/image_1.h5"


@pytest.fixture
def mask(root: Path) -> Path:
    """The file of the first mask."""
    return root / "TrainData/mask/mask_1.h5"


def test_names_that_begin_with_a_dot_are_passed_over(root: Path, image: Path, mask: Path) -> None:
    before = open_images(DATA, root).digest()
    for path in (image, mask):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\026\7")
        path.with_name(".DS_Store").write_bytes(b"\0\1")
    assert open_images(DATA, root).digest() == before
    hidden = root.parent / "hidden"
    for name in ("img", "mask"):
        (hidden / name).mkdir(parents=True)
        (hidden / name / "._image_1.h5").write_bytes(b"\0\5\026\7")
    assert detect(hidden).kind == "folders"


def refusal(root: Path) -> str:
    """What loading the first image says."""
    images = open_images(DATA, root)
    with pytest.raises(DataError) as caught:
        images.load(0)
    line = str(caught.value)
    assert "\n" not in line
    assert "; " in line
    return line


# What is read --------------------------------------------------------------------------------


def test_rgb_are_three_channels_scaled_and_cut(root: Path, image: Path) -> None:
    shown = values(1)
    shown[0, :4, 3] = (-1, 1, 9.999, 12)
    write(image, "img", shown)
    rgb, mask = open_images(DATA, root).load(0)
    assert rgb.shape == (128, 128, 3)
    assert rgb.dtype == np.uint8
    assert mask.dtype == np.bool_
    assert rgb[0, :4, 0].tolist() == [0, 25, 254, 255]
    np.testing.assert_array_equal(rgb[1:], (shown[1:, :, [3, 2, 1]] / 10 * 255).astype(np.uint8))


def test_shown_values_that_the_scale_puts_beyond_a_byte_are_counted(
    root: Path, image: Path
) -> None:
    shown = np.full((128, 128, 14), 6.92)
    shown[0, :4, 3] = (-0.1, 0, 10.03, 10.04)  # 256 / 25.5 is 10.039
    shown[..., 0] = 50.3
    write(image, "img", shown)
    assert open_images(DATA, root).clipped(0) == (2, 128 * 128 * 3)


def test_masks_belong_to_their_images_and_may_be_empty(root: Path) -> None:
    images = open_images(DATA, root)
    assert images.label == "Landslide4Sense"
    assert images.names == ("image_1", "image_10", "image_2")
    for index, number in enumerate((1, 10, 2)):
        rgb, mask = images.load(index)
        np.testing.assert_array_equal(mask, labels(number) == 1)
        assert rgb[5, 5, 0] == int(values(number)[5, 5, 3] * 25.5)
    assert not images.load(0)[1].any()


def test_files_are_sorted_as_text(tmp_path: Path) -> None:
    for folder, stem in (("img", "image"), ("mask", "mask")):
        (tmp_path / "TrainData" / folder).mkdir(parents=True)
        for number in (1, 2, 3, 10, 20, 100, 1000, 1001):
            (tmp_path / "TrainData" / folder / f"{stem}_{number}.h5").touch()
    names = open_images(DATA, tmp_path).names
    assert [name.removeprefix("image_") for name in names] == [
        *("1", "10", "100", "1000", "1001", "2", "20", "3")
    ]


@pytest.mark.parametrize("kind", ["float16", "float32", "int16", ">f8"])
def test_other_kinds_of_numbers_and_compression_are_read(
    root: Path, image: Path, mask: Path, kind: str
) -> None:
    write(image, "img", np.full((128, 128, 14), 4).astype(kind), compression="gzip", shuffle=True)
    write(mask, "mask", labels(4) == 1)
    rgb, landslide = open_images(DATA, root).load(0)
    assert set(rgb.ravel().tolist()) == {102}
    assert landslide.sum() == 15


def test_a_set_is_split_and_prepared(root: Path, tmp_path: Path) -> None:
    images = open_images(DATA, root)
    identity = identify(images, RELEASED)
    assert (identity.label, identity.train, identity.validation) == ("Landslide4Sense", 2, 1)
    prepared = prepare(images, 128, tmp_path / "cache")
    np.testing.assert_array_equal(prepared.images[1], images.load(1)[0])
    assert prepared.masks.reshape(3, -1).sum(axis=1).tolist() == [0, 45, 5]


def test_masks_that_are_all_empty(tmp_path: Path) -> None:
    root = write_set(tmp_path / "L4S", (1,))
    with pytest.raises(DataError, match="no pixel of the 1 masks of Landslide4Sense is positive"):
        prepare(open_images(DATA, root), 32, tmp_path / "cache")


def test_the_digest_follows_contents_names_and_reading(root: Path, tmp_path: Path) -> None:
    def digest(where: Path = root, **change: object) -> str:
        return open_images(DATA.model_copy(update=change), where).digest()

    first = digest()
    mirror = tmp_path / "mirror"
    for ours, theirs in zip(LAYOUTS[0], LAYOUTS[2], strict=True):
        (mirror / theirs).parent.mkdir(parents=True)
        (mirror / theirs).symlink_to(root / ours)
    assert digest(mirror) == first
    others = {digest(scale=20.0), digest(channels=(1, 2, 3))}
    write(root / "TrainData/mask/mask_2.h5", "mask", labels(7))
    others.add(digest())
    for stem in ("img/image", "mask/mask"):
        (root / f"TrainData/{stem}_2.h5").rename(root / f"TrainData/{stem}_3.h5")
    others.add(digest())
    assert len(others - {first}) == 4


def test_only_loading_needs_hdf5(root: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ablate.data import detect, open_images\n"
        "images = open_images(detect(Path(sys.argv[1])), Path(sys.argv[1]))\n"
        "images.digest()\n"
        "before = 'h5py' in sys.modules\n"
        "images.load(0)\n"
        "print(before, 'h5py' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, root], check=True, capture_output=True, text=True
    ).stdout
    assert shown.split() == ["False", "True"]


# Where it lies -------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout[0])
def test_every_layout_is_detected_and_opened(tmp_path: Path, layout: tuple[str, str]) -> None:
    write_set(tmp_path, layout=layout)
    assert detect(tmp_path) == DATA
    assert len(open_images(DATA, tmp_path).names) == 3


def test_the_part_that_is_asked_for_is_opened(root: Path) -> None:
    write_set(root, (7,), ("ValidData/img", "ValidData/mask"))
    write_set(root, (8, 9), ("images/test", "annotations/test"))
    for part, names in (("ValidData", ("image_7",)), ("TestData", ("image_8", "image_9"))):
        assert open_images(DATA.model_copy(update={"part": part}), root).names == names
    assert len(open_images(DATA, root).names) == 3


def test_a_part_that_is_missing(root: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"is not the TestData of Landslide4Sense: it has neither TestData/img with "
        r"TestData/mask nor images/test with annotations/test; give the folder that holds",
    ):
        open_images(DATA.model_copy(update={"part": "TestData"}), root)


def test_a_part_itself_says_where_the_root_is(root: Path) -> None:
    assert detect(root / "TrainData") == DATA
    with pytest.raises(DataError, match=rf"; give the folder above it, {root}$"):
        open_images(DATA, root / "TrainData")


@pytest.mark.parametrize(("images", "masks"), [("img", "mask"), ("images", "annotations")])
def test_folders_of_pictures_are_not_taken_for_it(tmp_path: Path, images: str, masks: str) -> None:
    for name in (images, masks):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image_1.png").touch()
    assert detect(tmp_path) == FoldersData(kind="folders", images=images, masks=masks)


def test_images_without_masks_and_masks_without_images(root: Path) -> None:
    (root / "TrainData/mask/mask_10.h5").unlink()
    with pytest.raises(
        DataError, match=r"1 of 3 images in .*img have no mask in .*mask \(10\); image_N\.h5 and"
    ):
        open_images(DATA, root)
    (root / "TrainData/img/image_10.h5").unlink()
    (root / "TrainData/img/image_2.h5").unlink()
    with pytest.raises(DataError, match=r"1 of 2 masks in .* have no image in .* \(2\); image_N"):
        open_images(DATA, root)


def test_files_of_other_names_or_kinds(root: Path) -> None:
    (root / "TrainData/img/notes.txt").touch()
    assert len(open_images(DATA, root).names) == 3
    (root / "TrainData/mask/image_4.h5").touch()
    with pytest.raises(DataError, match=r"mask/image_4\.h5 is not called mask_N\.h5; rename or"):
        open_images(DATA, root)


def test_a_part_without_files(tmp_path: Path) -> None:
    write_set(tmp_path, ())
    with pytest.raises(DataError, match=r"no images in .*TrainData/img: it is empty; put \.h5"):
        open_images(DATA, tmp_path)


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


# The protocol --------------------------------------------------------------------------------


def test_the_protocol_is_the_papers_but_for_the_data() -> None:
    catalogue = Catalogue()
    protocol = catalogue.protocol("landslide4sense")
    assert protocol.data == DATA
    assert protocol.identity() == catalogue.protocol("paper").identity()
    assert protocol.backbone == "vit_l"
    assert protocol.published_split is not None
    train, validation = split(3799, protocol.split)
    assert len(train) == protocol.published_split.train == 2660
    assert len(validation) == protocol.published_split.validation == 1139


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
