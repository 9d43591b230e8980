"""Images and masks that a protocol tells apart by patterns, and layouts that are recognised."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from ablate.data import detect, given_split, open_images
from ablate.errors import DataError
from ablate.spec import FoldersData, FoldersSplit


def write(root: Path, *names: str, value: int = 255) -> None:
    """Files of 8x6 pixels, all of one value."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 6), value).save(root / name)


def declared(image: str, mask: str, images: str = ".", masks: str = ".") -> FoldersData:
    return FoldersData(kind="folders", images=images, masks=masks, image=image, mask=mask)


def test_images_and_masks_lie_in_one_folder(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "b.jpg", value=90)
    write(tmp_path, "a_label.png", "b_label.png")
    images = open_images(declared("{stem}.jpg", "{stem}_label.png"), tmp_path)
    assert images.names == ("a", "b")
    image, mask = images.load(1)
    assert image.shape == (6, 8, 3)
    assert abs(int(image[0, 0, 0]) - 90) < 5
    assert mask.all()


def test_a_file_that_both_patterns_fit_belongs_to_the_one_with_more_letters(
    tmp_path: Path,
) -> None:
    write(tmp_path, "a.png", "b.PNG")
    write(tmp_path, "a_label.png", "b_label.png", value=0)
    for patterns, is_positive in (
        (("{stem}.*", "{stem}_label.*"), False),
        (("{stem}_label.*", "{stem}.*"), True),
    ):
        images = open_images(declared(*patterns), tmp_path)
        assert images.names == ("a", "b")
        assert images.load(0)[1].any() == is_positive


def test_patterns_that_fit_alike_are_not_guessed(tmp_path: Path) -> None:
    write(tmp_path, "xay.png")
    with pytest.raises(DataError, match=r"xay\.png in .* may be image or mask: both x\{stem\}.png"):
        open_images(declared("x{stem}.png", "{stem}y.png"), tmp_path)


@pytest.mark.parametrize(
    ("image", "mask", "files", "names"),
    [
        ("{stem}/image.png", "{stem}/mask.png", ["{0}/image.png", "{0}/mask.png"], ("a", "b")),
        (
            "{folder}/i/{stem}.png",
            "{folder}/m/{stem}.png",
            ["x/i/{0}.png", "x/m/{0}.png", "y/i/{0}.png", "y/m/{0}.png"],
            ("x/a", "x/b", "y/a", "y/b"),
        ),
        ("{stem}/{stem}.png", "{stem}/{stem}_m.png", ["{0}/{0}.png", "{0}/{0}_m.png"], ("a", "b")),
        ("[1] {stem}+.png", "({stem}).png", ["[1] {0}+.png", "({0}).png"], ("a", "b")),
    ],
)
def test_nested_folders_are_read_where_a_pattern_has_them(
    tmp_path: Path, image: str, mask: str, files: list[str], names: tuple[str, ...]
) -> None:
    write(tmp_path, *(file.format(name) for file in files for name in "ab"))
    write(tmp_path, "other/deep/c.png", ".hidden/image.png", "a/b.png")
    assert open_images(declared(image, mask), tmp_path).names == names


def test_only_the_listed_folders_are_read(tmp_path: Path) -> None:
    write(tmp_path, *(f"{part}/a{end}.png" for part in ("x", "y", "z") for end in ("", "_m")))
    data = declared("{folder}/{stem}.png", "{folder}/{stem}_m.png")
    listed = data.model_copy(update={"folders": ("z", "x")})
    assert open_images(data, tmp_path).names == ("x/a", "y/a", "z/a")
    assert open_images(listed, tmp_path).names == ("x/a", "z/a")


def test_images_without_masks_and_patterns_without_files_are_one_line(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "b.jpg", "a_label.png")
    data = declared("{stem}.jpg", "{stem}_label.png")
    with pytest.raises(DataError, match=r"1 of 2 images in .* have no mask in .* \(b\); .*declare"):
        open_images(data, tmp_path)
    with pytest.raises(
        DataError, match=r"no image in .* is called \{stem\}\.tif: it holds a\.jpg, .*; correct"
    ):
        open_images(declared("{stem}.tif", "{stem}_label.png"), tmp_path)
    with pytest.raises(DataError, match=r"same folder, .*; name two folders, or tell the files"):
        open_images(declared("{stem}.*", "{stem}.*"), tmp_path)


def test_two_files_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "a.bmp", "a_label.png")
    with pytest.raises(DataError, match=r"a\.bmp and .*a\.jpg are both image a; keep one"):
        open_images(declared("{stem}.*", "{stem}_label.png"), tmp_path)


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        ("a.png", "is not a pattern"),
        ("{stem}{x}.png", "is not a pattern"),
        ("{stem}}.png", "is not a pattern"),
        ("../{stem}.png", "is not a path below"),
        ("/{stem}.png", "is not a path below"),
        ("*/{stem}.png", r"has a \* elsewhere"),
        ("{folder}/{stem}.png", "the other pattern has none"),
    ],
)
def test_what_is_no_pattern(pattern: str, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        declared(pattern, "{stem}.*")


def test_the_default_patterns_change_no_digest(tmp_path: Path) -> None:
    write(tmp_path, *(f"{folder}/{name}.png" for folder in ("i", "m") for name in ("a", "a-b")))
    plain = open_images(declared("{stem}.*", "{stem}.*", "i", "m"), tmp_path)
    same = open_images(declared("{stem}.png", "{stem}.png", "i", "m"), tmp_path)
    assert plain.names == same.names == ("a-b", "a")
    assert plain.digest() == same.digest()


# Recognised layouts -----------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["{0}/{1}/{2}", "{1}/{0}/{2}"])
@pytest.mark.parametrize(
    "parts", [("train", "val"), ("training", "validation"), ("train", "valid")]
)
def test_ready_parts_are_recognised_and_test_images_left_out(
    tmp_path: Path, layout: str, parts: tuple[str, str]
) -> None:
    for part in (*parts, "test"):
        write(tmp_path, *(layout.format(part, kind, "a.png") for kind in ("images", "labels")))
    data = detect(tmp_path)
    assert isinstance(data, FoldersData)
    assert given_split(data, tmp_path) == FoldersSplit(
        kind="folders", train=parts[0], validation=parts[1]
    )
    assert open_images(data, tmp_path).names == tuple(f"{part}/a" for part in parts)


def test_parts_without_masks_or_with_two_pairs_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "train/images/a.png", "train/masks/a.png", "val/images/a.png")
    with pytest.raises(DataError, match=r"not a data set that ablate knows.* but train, val; name"):
        detect(tmp_path)
    write(tmp_path, "val/masks/a.png", "train/labels/a.png", "val/labels/a.png")
    with pytest.raises(
        DataError,
        match=r"more than one pair: images, masks, train, val, or images, labels, train, val; name",
    ):
        detect(tmp_path)


@pytest.mark.parametrize(
    ("file", "repair"),
    [("a_label.png", r"images: \., masks: \., image: '\{stem\}\.jpg'"), ("x.json", "kind: coco")],
)
def test_a_single_folder_is_told_what_to_declare(tmp_path: Path, file: str, repair: str) -> None:
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(DataError, match=repair):
        detect(tmp_path)


def test_a_coco_file_is_told_how_to_be_declared(tmp_path: Path) -> None:
    write(tmp_path, "images/a.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/all.json").write_text("{}")
    with pytest.raises(
        DataError,
        match=r"annotations holds all\.json and no masks; .*images: images, annotations: "
        r"annotations/all\.json",
    ):
        detect(tmp_path)


def test_ready_parts_keep_their_own_pixels(tmp_path: Path) -> None:
    write(tmp_path, "train/image/a.png", value=10)
    write(tmp_path, "val/image/a.png", value=20)
    write(tmp_path, "train/mask/a.png", "val/mask/a.png")
    images = open_images(detect(tmp_path), tmp_path)
    assert [int(np.max(images.load(index)[0])) for index in range(2)] == [10, 20]
