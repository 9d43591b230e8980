import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from holdouts import RELEASED
from landslide4sense_files import DATA, LAYOUTS, labels, values, write, write_set

from ablate.data import detect, identify, open_images, prepare, split
from ablate.errors import DataError
from ablate.registry import Catalogue
from ablate.spec import FoldersData


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
