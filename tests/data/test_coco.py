"""Images with outlines in a JSON file."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from ablate.data import identify, open_images, verify
from ablate.data.splitting import FittedImages
from ablate.errors import DataError
from ablate.spec import CocoData, FoldersSplit

pytest.importorskip("pycocotools", reason="outlines of COCO need the extra `coco`")

COCO = CocoData(kind="coco")
SQUARE = [2, 1, 6, 1, 6, 4, 2, 4]
Change = Callable[[dict[str, Any]], Any]


def content() -> dict[str, Any]:
    """Two images of 10x8 pixels, of which one has a landslide and a rock."""
    return {
        "info": {"year": 2024},
        "categories": [{"id": 7, "name": "landslide"}, {"id": 9, "name": "rock"}],
        "images": [
            {"id": 1, "file_name": "b.png", "width": 10, "height": 8},
            {"id": 2, "file_name": "a.jpg", "width": 10, "height": 8},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "segmentation": [SQUARE]},
            {
                "id": 2,
                "image_id": 1,
                "category_id": 9,
                "segmentation": [[8, 5, 10, 5, 10, 8, 8, 8]],
            },
        ],
    }


def write(root: Path, change: Change = lambda whole: None) -> Path:
    (root / "images").mkdir(exist_ok=True)
    for name in ("a.jpg", "b.png", "unlabelled.png"):
        Image.new("RGB", (10, 8), (1, 2, 3)).save(root / "images" / name)
    whole = content()
    change(whole)
    (root / "annotations.json").write_text(json.dumps(whole))
    return root


def test_outlines_become_masks(tmp_path: Path) -> None:
    images = open_images(COCO, write(tmp_path))
    assert images.names == ("a", "b")
    assert images.label == tmp_path.name
    image, empty = images.load(0)
    assert image.shape == (8, 10, 3)
    assert not empty.any()
    expected = np.zeros((8, 10), np.bool_)
    expected[1:4, 2:6] = True
    expected[5:8, 8:10] = True
    np.testing.assert_array_equal(images.load(1)[1], expected)


def test_only_the_declared_categories_are_positive(tmp_path: Path) -> None:
    whole = open_images(COCO, write(tmp_path))
    some = open_images(CocoData(kind="coco", categories=("landslide",)), tmp_path)
    assert whole.load(1)[1].sum() == 18
    assert some.load(1)[1].sum() == 12
    assert whole.digest() != some.digest()
    with pytest.raises(DataError, match=r"has no category mud, but landslide, rock; correct"):
        open_images(CocoData(kind="coco", categories=("mud",)), tmp_path)


def test_run_lengths_are_read_column_by_column(tmp_path: Path) -> None:
    lengths = {"size": [8, 10], "counts": [8, 3, 69]}
    images = open_images(COCO, write(tmp_path, lambda whole: _outline(whole, lengths)))
    mask = images.load(1)[1]
    assert mask[:3, 1].all()
    assert mask.sum() == 3 + 6


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_compressed_run_lengths_are_read_as_pycocotools_writes_them(
    tmp_path: Path, share: float
) -> None:
    from pycocotools import mask as rasters

    height, width = 90, 130
    drawn = np.asfortranarray(np.random.default_rng(0).random((height, width)) < share)
    drawn[30:60] |= share > 0.5
    lengths = rasters.encode(drawn.astype(np.uint8, order="F"))
    outline = {"size": [height, width], "counts": lengths["counts"].decode()}

    def change(whole: dict[str, Any]) -> None:
        whole["images"] = [{"id": 1, "file_name": "c.png", "width": width, "height": height}]
        whole["annotations"] = [{"image_id": 1, "category_id": 7, "segmentation": outline}]

    write(tmp_path, change)
    Image.new("RGB", (width, height)).save(tmp_path / "images/c.png")
    np.testing.assert_array_equal(open_images(COCO, tmp_path).load(0)[1], drawn)


def write_parts(root: Path, images: str, annotations: str, **files: str) -> CocoData:
    """A JSON file for each part, with one image."""
    for number, (part, file) in enumerate(files.items()):
        whole = content()
        whole["images"] = [{"id": 1, "file_name": file, "width": 10, "height": 8}]
        for path in (
            root / images.format(folder=part) / file,
            root / annotations.format(folder=part),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10, 8), (number, 2, 3)).save(root / images.format(folder=part) / file)
        (root / annotations.format(folder=part)).write_text(json.dumps(whole))
    folders = tuple(files)
    return CocoData(kind="coco", images=images, annotations=annotations, folders=folders)


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ("{folder}", "{folder}/_annotations.coco.json"),
        ("{folder}2017", "annotations/instances_{folder}2017.json"),
        ("images", "{folder}.json"),
    ],
)
def test_every_part_has_a_file_of_its_own(tmp_path: Path, images: str, annotations: str) -> None:
    data = write_parts(tmp_path, images, annotations, train="a.png", val="b.png")
    opened = open_images(data, tmp_path)
    assert opened.names == ("train/a", "val/b")
    assert [opened.load(index)[0][0, 0, 0] for index in range(2)] == [0, 1]
    split = FoldersSplit(kind="folders")
    identity = identify(opened, split, tmp_path)
    assert (identity.train, identity.validation) == (1, 1)
    json_file = tmp_path / annotations.format(folder="val")
    json_file.write_text(json_file.read_text() + " ")
    assert identify(open_images(data, tmp_path), split, tmp_path).digest != identity.digest


def test_an_image_of_two_parts_is_refused(tmp_path: Path) -> None:
    data = write_parts(tmp_path, "images", "{folder}.json", train="a.png", val="a.png")
    message = r"a\.png is in both .*train\.json and .*val\.json; leave it in one file"
    with pytest.raises(DataError, match=message):
        open_images(data, tmp_path)


@pytest.mark.parametrize(
    ("declared", "rule"),
    [
        ({"annotations": "{folder}.json"}, "has a {folder}, and no folders are listed"),
        ({"folders": ("train", "val")}, r"annotations \(annotations.json\) has no {folder}"),
        ({"images": "{stem}"}, "has braces that are not {folder}"),
    ],
)
def test_parts_and_folders_go_together(declared: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        CocoData(kind="coco", **declared)


@pytest.mark.parametrize("kind", ["linear", "percentiles"])
def test_rasters_of_many_bands_have_outlines_too(tmp_path: Path, kind: str) -> None:
    write(tmp_path, lambda whole: whole["images"][0].update(file_name="b.tif"))
    values = np.random.default_rng(0).integers(0, 3000, (8, 10, 5)).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "images/b.tif", values, photometric="minisblack", planarconfig="contig"
    )
    tifffile.imwrite(
        tmp_path / "images/a.tif", values // 2, photometric="minisblack", planarconfig="contig"
    )
    whole = json.loads((tmp_path / "annotations.json").read_text())
    whole["images"][1]["file_name"] = "a.tif"
    (tmp_path / "annotations.json").write_text(json.dumps(whole))
    with pytest.raises(DataError, match=r"a\.tif has 5 bands of uint16.*kind: coco.*scale: "):
        verify(open_images(COCO, tmp_path), None)
    scale = {"kind": kind, "low": 0, "high": 3000 if kind == "linear" else 100}
    data = CocoData.model_validate({"kind": "coco", "bands": (4, 0, 1), "scale": scale})
    images = open_images(data, tmp_path)
    verify(images, None)
    assert isinstance(images, FittedImages)
    before = images.digest()
    images.fit([1])
    image, mask = images.load(1)
    low, high = (0, 3000) if kind == "linear" else (values[..., 4].min(), values[..., 4].max())
    expected = np.rint((values[..., 4] - float(low)) / (high - low) * 255)
    np.testing.assert_array_equal(image[..., 0], expected)
    assert mask.sum() == 18
    assert (images.digest() == before) == (kind == "linear")
    assert before != open_images(CocoData(kind="coco", bands=(0, 1, 2)), tmp_path).digest()


def test_an_image_of_another_size_is_found_in_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    Image.new("RGB", (9, 8)).save(tmp_path / "images/b.png")
    monkeypatch.setattr("ablate.data.reader.read_image", None)
    with pytest.raises(DataError, match=r"b\.png has 9×8 pixels, .*annotations\.json says 10×8"):
        verify(open_images(COCO, tmp_path), None)


def test_the_digest_is_of_images_and_file(tmp_path: Path) -> None:
    first = open_images(COCO, write(tmp_path)).digest()
    assert open_images(COCO, tmp_path).digest() == first
    moved = open_images(COCO, write(tmp_path, lambda whole: _outline(whole, [SQUARE[::-1]])))
    assert moved.digest() != first
    write(tmp_path)
    Image.new("RGB", (10, 8)).save(tmp_path / "images/a.jpg")
    assert open_images(COCO, tmp_path).digest() != first


def _outline(whole: dict[str, Any], segmentation: Any) -> None:
    whole["annotations"][0]["segmentation"] = segmentation


def _set(what: str, key: str, value: Any) -> Change:
    return lambda whole: whole[what][0].update({key: value})


def _outlined(segmentation: Any) -> Change:
    return lambda whole: _outline(whole, segmentation)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda whole: whole.pop("categories"), "has no list of categories"),
        (lambda whole: whole.update(images=[]), "names no images"),
        (lambda whole: whole.update(images=[3]), "an entry of images without id"),
        (_set("images", "file_name", None), "an entry of images without file_name"),
        (_set("images", "file_name", "c.png"), r"1 of 2 images .* are not in .*\(c\.png\)"),
        (_set("images", "file_name", "a.png"), "has two images . or a"),
        (_set("images", "file_name", "../a.png"), "is not below the data's root"),
        (_set("images", "file_name", ""), "an image with the name ''"),
        (_set("images", "id", 2), "has two images 2 or b"),
        (_set("images", "width", 0), "has height 8 and width 0"),
        (_set("images", "height", 10**9), "has height 1000000000 and width 10"),
        (_set("annotations", "image_id", 5), "annotation 1 in .* is of an image 5"),
        (_set("annotations", "category_id", 5), "annotation 1 in .* is of a category 5"),
        (_outlined([]), "annotation 1 in .* has no outline"),
        (_outlined([[1, 2, 3, 4]]), "a polygon that is not three corners or more"),
        (_outlined([[1, 2, 3, 4, 5, 6, 7]]), "a polygon that is not three corners or more"),
        (_outlined([[1, 2, 3, 4, 5, float("nan")]]), "a corner at nan, outside the image"),
        (_outlined([[1, 2, 3, 4, 10**400, 1]]), "a corner at 10+, outside the image"),
        (_outlined([[1, 2, 3, 4, "5", 1]]), "a corner at 5, outside the image"),
        (_outlined({"size": [8, 9], "counts": [72]}), "run lengths of another size"),
        (
            _outlined({"size": [8, 10], "counts": "abc"}),
            "lengths that cannot be read",
        ),
        (_outlined({"size": [8, 10], "counts": "0"}), "run lengths of other than 80 pixels"),
        (_outlined({"size": [8, 10], "counts": "oooo"}), "lengths that cannot be read"),
        (_outlined({"size": [8, 10], "counts": 80}), "neither numbers nor a text"),
        (_outlined({"size": [8, 10], "counts": [8, 3]}), "run lengths of other than 80 pixels"),
        (_outlined({"size": [8, 10], "counts": [81, -1]}), "run lengths of other than 80 pixels"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, change: Change, message: str) -> None:
    write(tmp_path, change)
    with pytest.raises(DataError, match=message) as caught:
        open_images(COCO, tmp_path)
    assert "\n" not in str(caught.value)


def test_what_is_no_json(tmp_path: Path) -> None:
    write(tmp_path)
    for text in (b"{", b"\xff", b"[" * 100_000):
        (tmp_path / "annotations.json").write_bytes(text)
        with pytest.raises(DataError, match=r"annotations\.json cannot be read as JSON"):
            open_images(COCO, tmp_path)
    (tmp_path / "annotations.json").unlink()
    with pytest.raises(DataError, match=r"there is no file .*; correct data\.annotations"):
        open_images(COCO, tmp_path)


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    Image.new("RGB", (8, 10)).save(tmp_path / "images/b.png")
    with pytest.raises(DataError, match=r"b\.png has 8×10 pixels, .*annotations\.json says 10×8"):
        open_images(COCO, tmp_path).load(1)


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    with pytest.raises(DataError, match=r"pycocotools, which is not installed; .*ablate\[coco\]"):
        open_images(COCO, write(tmp_path))
