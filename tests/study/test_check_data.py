"""What a check of a data set leaves in the store, and what is refused before it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.data import detect, identify, open_images
from ablate.errors import BadInput, DataError, SpecError
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.study import check_data

NAMES = tuple("abcdefghij")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for number, name in enumerate(NAMES):
        write_pair(folder, name, number)
    return folder


def write_pair(root: Path, name: str, number: int) -> None:
    (root / "images").mkdir(parents=True, exist_ok=True)
    (root / "masks").mkdir(exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    mask = np.zeros((30, 40), np.uint8)
    mask[:6] = 255
    Image.fromarray(pixels).save(root / f"images/{name}.png")
    Image.fromarray(mask).save(root / f"masks/{name}.png")


def test_the_parts_are_those_of_the_protocol(root: Path) -> None:
    check = check_data(root)
    protocol = Catalogue().protocol("paper")
    images = open_images(detect(root), root)
    identity = identify(images, protocol.split)
    assert (check.digest, check.split) == (identity.digest, protocol.split)
    assert (check.train, check.validation, check.image_size_px) == (7, 3, 1024)
    assert check.findings == ()
    assert check_data(root, overrides=["split.validation_share=0.5"]).validation == 5


def test_planted_copies_across_the_split_are_found(root: Path) -> None:
    """Each image in turn gets a copy: those that land on the other side are problems."""
    kinds = set()
    for name in NAMES[1:]:
        original = (root / f"images/{name}.png").read_bytes()
        (root / f"images/{name}.png").write_bytes((root / "images/a.png").read_bytes())
        (finding,) = check_data(root, overrides=["image_size_px=64"]).findings
        kinds.add((finding.kind, finding.severity))
        assert finding.groups == (("a", name),)
        (root / f"images/{name}.png").write_bytes(original)
    assert kinds == {("duplicates-across-split", "problem"), ("duplicates", "note")}


def test_listed_parts_are_checked_as_they_are_listed(root: Path) -> None:
    (root / "images/b.png").write_bytes((root / "images/a.png").read_bytes())
    overrides = ["split={kind: lists}", "image_size_px=64"]
    (root / "train.txt").write_text("a\nc\n")
    (root / "val.txt").write_text("b\n")
    check = check_data(root, overrides=overrides)
    assert (check.train, check.validation) == (2, 1)
    assert [each.kind for each in check.findings] == ["duplicates-across-split"]
    (root / "val.txt").write_text("d\n")
    other = check_data(root, overrides=overrides)
    assert [each.kind for each in other.findings] == ["duplicates"]
    assert other.digest != check.digest


def test_the_outcome_is_kept_under_its_data_and_split(root: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    check = check_data(root, store=store.root)
    assert check.digest is not None
    assert store.data_check(check.digest, check.split) == check
    other = check.split.model_copy(update={"seed": 1})
    assert store.data_check(check.digest, other) is None
    assert store.data_check("0" * 64, check.split) is None


def test_without_a_store_nothing_is_written(root: Path, tmp_path: Path) -> None:
    check_data(root)
    assert list(tmp_path.iterdir()) == [root]


def test_what_does_not_pair_up_is_an_outcome_with_every_name(root: Path, tmp_path: Path) -> None:
    for name in NAMES[:4]:
        (root / f"masks/{name}.png").unlink()
    (root / "images/j.png").unlink()
    check = check_data(root, store=tmp_path / "store")
    kinds = {finding.kind: finding for finding in check.findings}
    assert kinds["images-without-masks"].names == tuple("abcd")
    assert kinds["masks-without-images"].names == ("j",)
    assert {each.severity for each in check.findings} == {"problem"}
    assert (check.images, check.digest) == (0, None)
    assert not (tmp_path / "store" / "data-checks").exists()


def test_an_empty_folder_is_an_outcome(root: Path) -> None:
    for path in root.glob("images/*"):
        path.unlink()
    (finding,) = check_data(root).findings
    assert (finding.kind, finding.severity) == ("layout", "problem")
    assert "no images in" in finding.message


def test_too_few_images_to_split_are_checked_all_the_same(tmp_path: Path) -> None:
    write_pair(tmp_path, "only", 0)
    (tmp_path / "masks/only.png").write_text("broken")
    check = check_data(tmp_path)
    assert [each.kind for each in check.findings] == ["split", "unreadable"]
    assert (check.images, check.train) == (1, None)


def test_a_name_that_is_not_utf8_is_a_finding(root: Path, tmp_path: Path) -> None:
    write_pair(root, "x", 0)
    for folder in ("images", "masks"):
        (root / f"{folder}/x.png").rename(root / f"{folder}/caf\udce9.png")
    check = check_data(root, store=tmp_path / "store", sheet=tmp_path / "sheet.png")
    (finding,) = check.findings
    assert (finding.kind, finding.severity) == ("layout", "problem")
    assert r"caf\xe9.png is not UTF-8" in finding.message


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"protocol": "papre"}, SpecError, "did you mean 'paper'"),
        ({"overrides": ["epochs=0"]}, SpecError, "epochs"),
        ({"sheet": "."}, BadInput, "is a folder"),
    ],
    ids=["protocol", "override", "sheet"],
)
def test_bad_input_leaves_nothing_behind(
    root: Path, tmp_path: Path, options: dict[str, object], kind: type[BadInput], message: str
) -> None:
    with pytest.raises(kind, match=message):
        check_data(root, store=tmp_path / "store", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["missing", "unknown"])
def test_a_folder_that_is_no_data_set_is_bad_input(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "data")
    with pytest.raises(DataError):
        check_data(tmp_path / "data", store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_images_and_groups_of_each_part_are_counted(root: Path) -> None:
    groups = [f"{name},{number // 2}" for number, name in enumerate(NAMES)]
    (root / "groups.csv").write_text("\n".join(groups))
    split = "{kind: groups, file: groups.csv, validation_share: 0.4, seed: 0}"
    overrides = [f"split={split}", "image_size_px=64"]
    check = check_data(root, overrides=overrides)
    assert check.groups is not None
    assert (check.groups.train, check.groups.validation, check.groups.test) == (3, 2, 0)
    assert (check.train, check.validation, check.test) == (6, 4, 0)
    assert check.positive.test is None
    tested = check_data(root, overrides=[*overrides, "split.test={share: 0.2, seed: 0}"])
    assert tested.groups is not None
    assert (tested.groups.train, tested.groups.validation, tested.groups.test) == (2, 2, 1)
    assert (tested.train, tested.validation, tested.test) == (4, 4, 2)
    assert tested.positive.test is not None


def test_groups_that_keep_copies_together_leave_no_finding_across_the_split(root: Path) -> None:
    (root / "images/b.png").write_bytes((root / "images/a.png").read_bytes())
    together = [f"{name},{'ab' if name in 'ab' else name}" for name in NAMES]
    for seed in range(4):
        (root / "groups.csv").write_text("\n".join(together))
        split = f"{{kind: groups, file: groups.csv, validation_share: 0.4, seed: {seed}}}"
        (finding,) = check_data(root, overrides=[f"split={split}", "image_size_px=64"]).findings
        assert finding.kind == "duplicates"


def test_copies_in_the_test_part_are_found(root: Path) -> None:
    (root / "images/b.png").write_bytes((root / "images/a.png").read_bytes())
    (root / "train.txt").write_text("a\nc")
    (root / "val.txt").write_text("d")
    (root / "test.txt").write_text("b\ne\nf")
    overrides = ["split={kind: lists, test: test.txt}", "image_size_px=64"]
    (finding,) = check_data(root, overrides=overrides).findings
    assert finding.kind == "duplicates-across-split"
    assert "(0 of 1 validation images, 1 of 3 test images)" in finding.message
