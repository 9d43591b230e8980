"""Any data set that is read, as the plain pair of folders, and the question of ready parts."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate import Study
from ablate.data import detect, open_images
from ablate.errors import DataError
from ablate.spec import FoldersData
from ablate.study import check_data, convert_data

IN_ONE = "data={kind: folders, images: ., masks: ., image: '{stem}.bmp', mask: '{stem}_m.png'}"


def write(root: Path, images: str, masks: str, *names: str) -> Path:
    """Images of noise and masks of 0 and 1, called as the patterns say."""
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        mask = (pixels[..., 0] > 127).astype(np.uint8)
        for pattern, values in ((images, pixels), (masks, mask)):
            path = root / pattern.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path)
    return root


def write_parts(root: Path) -> Path:
    for part, names in (("train", "abcd"), ("val", "ae"), ("test", "f")):
        write(root / part, "images/{}.png", "masks/{}.png", *names)
    return root


def test_a_converted_set_has_the_same_images_and_masks(tmp_path: Path) -> None:
    source = write(tmp_path / "odd", "{}.bmp", "{}_m.png", "b", "a.1")
    made = convert_data(source, tmp_path / "plain", overrides=[IN_ONE])
    assert (made.label, made.images, made.lists) == ("odd", 2, ())
    assert {path.name for path in tmp_path.iterdir()} == {"odd", "plain"}
    data = detect(made.target)
    assert data == FoldersData(kind="folders", images="image", masks="mask")
    plain = open_images(data, made.target)
    assert plain.names == ("a.1", "b")
    for index, name in enumerate(plain.names):
        image, mask = plain.load(index)
        np.testing.assert_array_equal(image, np.asarray(Image.open(source / f"{name}.bmp")))
        np.testing.assert_array_equal(mask, np.asarray(Image.open(source / f"{name}_m.png")) > 0)
    assert set(np.unique(np.asarray(Image.open(made.target / "mask/b.png")))) == {0, 255}


def test_ready_parts_are_kept_as_lists(tmp_path: Path) -> None:
    source = write_parts(tmp_path / "parts")
    made = convert_data(source, tmp_path / "plain")
    assert made.images == 6
    assert (made.target / "train.txt").read_text() == "train_a\ntrain_b\ntrain_c\ntrain_d\n"
    assert (made.target / "val.txt").read_text() == "val_a\nval_e\n"
    ready, listed = (
        Study(
            "table4",
            protocol="demo",
            data=path,
            overrides=[f"split={{kind: {kind}}}"],
            store=tmp_path / "store",
            devices=["cpu"],
        )
        .plan()
        .plan.context.data
        for path, kind in ((source, "folders"), (made.target, "lists"))
    )
    assert (ready.train, ready.validation) == (listed.train, listed.validation) == (4, 2)


def test_values_are_scaled_as_in_a_run(tmp_path: Path) -> None:
    root = tmp_path / "deep"
    write(root, "i/{}.png", "m/{}.png", *"abcd")
    for number, name in enumerate("abcd"):
        (root / f"i/{name}.png").unlink()
        values = np.random.default_rng(number).integers(0, 4000, (8, 8), dtype=np.uint16)
        Image.fromarray(values).save(root / f"i/{name}.tif")
    data = (
        "data={kind: folders, images: i, masks: m, scale: {kind: percentiles, low: 0, high: 100}}"
    )
    made = convert_data(root, tmp_path / "plain", overrides=[data])
    levels = np.stack([np.asarray(Image.open(path)) for path in (made.target / "image").iterdir()])
    assert levels.min() == 0
    assert levels.max() == 255
    assert levels.std() > 50


def test_masks_that_mean_different_things_are_not_made_one(tmp_path: Path) -> None:
    root = write(tmp_path / "odd", "{}.bmp", "{}_m.png", "a", "b")
    Image.new("L", (8, 8), 7).save(root / "a_m.png")
    with pytest.raises(DataError, match="holds 7 besides 0"):
        convert_data(root, tmp_path / "plain", overrides=[IN_ONE])


def test_outlines_become_masks(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="outlines of COCO need the extra `coco`")
    source = tmp_path / "coco"
    (source / "images").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(source / "images/a.png")
    square = [[1, 1, 4, 1, 4, 3, 1, 3]]
    content = {
        "categories": [{"id": 1, "name": "slide"}],
        "images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 9}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": square}],
    }
    (source / "annotations.json").write_text(json.dumps(content))
    made = convert_data(source, tmp_path / "plain", overrides=["data={kind: coco}"])
    mask = np.asarray(Image.open(made.target / "mask/a.png"))
    assert mask.sum() == 6 * 255
    assert mask[1:3, 1:4].all()


def test_nothing_is_overwritten_and_nothing_left_behind(tmp_path: Path) -> None:
    source = write(tmp_path / "odd", "{}.bmp", "{}_m.png", "a", "b")
    for target in (source, tmp_path / "odd/a.bmp"):
        with pytest.raises(DataError, match="exists; name a new folder: nothing is overwritten"):
            convert_data(source, target, overrides=[IN_ONE])
    with pytest.raises(DataError, match=r"there is no folder .*/no; make it first"):
        convert_data(source, tmp_path / "no/plain", overrides=[IN_ONE])
    (source / "b.bmp").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b\.bmp"):
        convert_data(source, tmp_path / "plain", overrides=[IN_ONE])
    assert [path.name for path in tmp_path.iterdir()] == ["odd"]


def test_two_names_that_become_one(tmp_path: Path) -> None:
    write(tmp_path / "s", "x/{}.bmp", "x/{}_m.png", "y_a")
    write(tmp_path / "s", "x_y/{}.bmp", "x_y/{}_m.png", "a")
    nested = IN_ONE.replace("{stem}", "{folder}/{stem}")
    with pytest.raises(DataError, match=r"x/y_a and x_y/a would both become x_y_a\.png; rename"):
        convert_data(tmp_path / "s", tmp_path / "plain", overrides=[nested])


def planned(root: Path, *overrides: str) -> tuple[int, int]:
    """How many images train and validate."""
    study = Study(
        "table4",
        protocol="demo",
        data=root,
        overrides=overrides,
        store=root.parent / "store",
        devices=["cpu"],
    )
    data = study.plan().plan.context.data
    return data.train, data.validation


def test_ready_parts_are_not_silently_split_anew(tmp_path: Path) -> None:
    root = write_parts(tmp_path / "parts")
    with pytest.raises(DataError, match="has ready parts, train and val, and protocol demo") as hit:
        planned(root)
    first, second = (text for text in str(hit.value).split("'")[1::2])
    assert planned(root, first) == (4, 2)
    assert sum(planned(root, second)) == 6
    assert not (tmp_path / "store").exists()


def test_a_declared_layout_and_an_edited_list_make_other_runs(tmp_path: Path) -> None:
    root = write(tmp_path / "odd", "{}.bmp", "{}_m.png", *"abcde")
    lists, shuffled = "split={kind: lists}", "split.kind=holdout"
    (root / "train.txt").write_text("a\nb\nc\n")
    (root / "val.txt").write_text("d.bmp\n")
    assert planned(root, IN_ONE, lists) == (3, 1)
    assert sum(planned(root, IN_ONE, shuffled)) == 5
    (root / "val.txt").write_text("d\nf\n")
    with pytest.raises(DataError, match=r"1 of 2 names in .*val\.txt are no images .* \(f\)"):
        planned(root, IN_ONE, lists)


def test_split_lists_are_not_silently_left_aside(tmp_path: Path) -> None:
    root = write(tmp_path / "listed", "image/{}.png", "mask/{}.png", *"abcde")
    (root / "train.txt").write_text("a\nb\n")
    assert sum(planned(root)) == 5
    (root / "val.txt").write_text("c\n")
    (root / "test.txt").write_text("d\n")
    with pytest.raises(DataError, match=r"has split lists, train\.txt and val\.txt") as hit:
        planned(root)
    assert "\n" not in str(hit.value)
    first, second = (text for text in str(hit.value).split("'")[1::2])
    assert "test: test.txt" in first
    assert planned(root, first) == (2, 1)
    assert sum(planned(root, second)) == 5
    with pytest.raises(DataError, match="has split lists"):
        check_data(root, protocol="demo")
    made = convert_data(root, tmp_path / "plain")
    assert made.lists == ("train.txt", "val.txt", "test.txt")
    assert (made.target / "val.txt").read_text() == "c\n"
    assert (made.target / "test.txt").read_text() == "d\n"


def test_parts_of_coco_are_not_silently_split_anew(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="outlines of COCO need the extra `coco`")
    root = tmp_path / "outlined"
    for part, names in (("train", "abc"), ("val", "de")):
        (root / part).mkdir(parents=True)
        images = []
        for number, name in enumerate(names):
            Image.new("RGB", (64, 64), (number, 9, 9)).save(root / part / f"{name}.png")
            images.append({"id": number, "file_name": f"{name}.png", "width": 64, "height": 64})
        polygon = {"image_id": 0, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}
        content = {"images": images, "annotations": [polygon]}
        content["categories"] = [{"id": 1, "name": "slide"}]
        (root / part / "_annotations.coco.json").write_text(json.dumps(content))
    data = (
        "data={kind: coco, images: '{folder}', annotations: '{folder}/_annotations.coco.json', "
        "folders: [train, val]}"
    )
    with pytest.raises(DataError, match="has ready parts, train and val") as hit:
        planned(root, data)
    first, second = (text for text in str(hit.value).split("'")[1::2])
    assert planned(root, data, first) == (3, 2)
    assert sum(planned(root, data, second)) == 5
