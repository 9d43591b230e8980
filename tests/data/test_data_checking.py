from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.data import detect, open_images, prepare
from ablate.data.checking import check_images
from ablate.data.contact_sheet import write_sheet
from ablate.data.generated import scene
from ablate.data.split_parts import Parts
from ablate.runs import ClippedValues, DataCheck, Finding
from ablate.spec import Data, FoldersData, HoldoutSplit, MaskValues

SPLIT = HoldoutSplit(kind="holdout", seed=0, validation_share=0.3, rounding="floor")
SIZE_PX = 64
SCENES = [scene(3, index, 96 + index)[0] for index in range(10)]


WITH_THRESHOLD = FoldersData(
    kind="folders", images="images", masks="masks", mask_values=MaskValues(threshold=127)
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten scenes of 96 to 105 pixels with a mask each of a tenth to a fifth positive."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for index in range(10):
        side = 96 + index
        Image.fromarray(SCENES[index]).save(tmp_path / f"images/s{index}.png")
        mask = np.zeros((side, side), np.uint8)
        mask[: 10 + index] = 255
        write_mask(tmp_path, index, mask)
    return tmp_path


def write_mask(root: Path, index: int, mask: np.ndarray) -> None:
    Image.fromarray(mask).save(root / f"masks/s{index}.png")


def image_of(root: Path, index: int) -> Image.Image:
    return Image.open(root / f"images/s{index}.png")


def checked(root: Path, train: int = 7, data: Data | None = None) -> DataCheck:
    """The first images train, the others validate."""
    images = open_images(data or detect(root), root)
    parts = Parts(range(train), range(train, len(images.names)))
    return check_images(images, images.digest(), SPLIT, parts, SIZE_PX)


def only(check: DataCheck) -> Finding:
    (finding,) = check.findings
    return finding


def test_sound_data_has_no_findings(root: Path) -> None:
    check = checked(root)
    assert check.findings == ()
    assert (check.images, check.train, check.validation) == (10, 7, 3)
    assert check.counts == "10 images, 0 problems, 0 notes"


def test_sizes_are_ranges_of_widths_and_heights(root: Path) -> None:
    Image.fromarray(np.asarray(image_of(root, 0))[:50, :]).save(root / "images/s0.png")
    mask = np.zeros((50, 96), np.uint8)
    mask[:9] = 255
    write_mask(root, 0, mask)
    sizes = checked(root).sizes
    assert sizes is not None
    assert (sizes.smallest, sizes.median, sizes.largest) == ((96, 50), (100, 100), (105, 105))
    assert sizes.distinct == 10


def test_positive_shares_are_pooled_over_the_prepared_masks(root: Path, tmp_path: Path) -> None:
    masks = prepare(open_images(detect(root), root), SIZE_PX, tmp_path / "cache").masks
    positive = checked(root).positive
    assert positive.all == pytest.approx(masks.mean())
    assert positive.train == pytest.approx(masks[:7].mean())
    assert positive.validation == pytest.approx(masks[7:].mean())
    assert positive.train != pytest.approx(positive.validation, rel=0.01)


def test_unreadable_files_are_one_problem_that_names_them(root: Path) -> None:
    for index in (2, 5):
        path = root / f"images/s{index}.png"
        path.write_bytes(path.read_bytes()[:900])
    check = checked(root)
    finding = only(check)
    assert (finding.kind, finding.severity) == ("unreadable", "problem")
    assert finding.names == ("s2", "s5")
    assert finding.message.startswith("2 images cannot be used (s2, s5); the first: ")
    assert "s2.png cannot be read" in finding.message
    assert finding.repair
    assert check.images == 10
    assert check.sizes is not None


def test_an_unreadable_mask_counts_too(root: Path) -> None:
    (root / "masks/s4.png").write_text("no image")
    assert only(checked(root)).names == ("s4",)


def test_data_of_which_nothing_can_be_read_has_no_sizes_and_shares(root: Path) -> None:
    for path in root.glob("images/*.png"):
        path.write_text("no image")
    check = checked(root)
    assert len(only(check).names) == 10
    assert check.sizes is None
    assert check.positive.all is check.positive.train is None


def test_a_mask_of_another_size_is_a_problem_of_its_own(root: Path) -> None:
    write_mask(root, 6, np.eye(50, dtype=np.uint8) * 255)
    finding = only(checked(root))
    assert (finding.kind, finding.severity, finding.names) == ("size-mismatch", "problem", ("s6",))
    assert "50×50" in finding.message
    assert "102×102" in finding.message


def test_empty_masks_are_a_note(root: Path) -> None:
    write_mask(root, 1, np.zeros((97, 97), np.uint8))
    finding = only(checked(root))
    assert (finding.kind, finding.severity, finding.names) == ("empty-masks", "note", ("s1",))


def test_nothing_but_empty_masks_is_a_problem(root: Path) -> None:
    for index in range(10):
        write_mask(root, index, np.zeros((96 + index, 96 + index), np.uint8))
    finding = only(checked(root))
    assert (finding.kind, finding.severity, len(finding.names)) == ("empty-masks", "problem", 10)


def test_a_full_mask_is_not_an_inverted_one(root: Path) -> None:
    write_mask(root, 1, np.full((97, 97), 255, np.uint8))
    finding = only(checked(root))
    assert (finding.kind, finding.severity, finding.names) == ("full-masks", "note", ("s1",))


def test_a_mask_far_above_the_others_looks_inverted(root: Path) -> None:
    mask = np.full((99, 99), 255, np.uint8)
    mask[:20] = 0
    write_mask(root, 3, mask)
    finding = only(checked(root))
    assert (finding.kind, finding.severity, finding.names) == ("inverted-masks", "note", ("s3",))


def test_large_regions_are_usual_where_most_masks_have_them(root: Path) -> None:
    for index in range(10):
        mask = np.full((96 + index, 96 + index), 255, np.uint8)
        mask[:30] = 0
        write_mask(root, index, mask)
    assert checked(root).findings == ()


@pytest.mark.parametrize("odd", [1, 128, 254])
def test_mask_values_between_0_and_the_greatest_are_noted(root: Path, odd: int) -> None:
    mask = np.zeros((98, 98), np.uint8)
    mask[:11] = 255
    mask[11, :5] = odd
    write_mask(root, 2, mask)
    finding = only(checked(root))
    assert (finding.kind, finding.severity) == ("mask-values", "problem")
    assert f"s2.png holds the values 0, {odd}, 255" in finding.message
    finding = only(checked(root, data=WITH_THRESHOLD))
    assert (finding.kind, finding.severity) == ("mask-values", "note")
    assert finding.names == ("s2",)
    assert f"({odd})" in finding.message


def test_masks_of_0_and_1_have_two_values(root: Path) -> None:
    for index in range(10):
        mask = np.zeros((96 + index, 96 + index), np.uint8)
        mask[: 10 + index] = 1
        write_mask(root, index, mask)
    assert checked(root).findings == ()


def test_equal_images_across_the_split_are_a_problem(root: Path) -> None:
    image_of(root, 1).save(root / "images/s8.png")
    write_mask(root, 8, np.asarray(Image.open(root / "masks/s1.png")))
    finding = only(checked(root))
    assert (finding.kind, finding.severity) == ("duplicates-across-split", "problem")
    assert (finding.groups, finding.names) == ((("s1", "s8"),), ("s1", "s8"))
    assert "1 group of equal images" in finding.message
    assert "1 of 3 validation images" in finding.message


def test_equal_images_of_one_part_are_a_note(root: Path) -> None:
    image_of(root, 1).save(root / "images/s2.png")
    write_mask(root, 2, np.asarray(Image.open(root / "masks/s1.png")))
    finding = only(checked(root))
    assert (finding.kind, finding.severity) == ("duplicates", "note")
    assert finding.groups == (("s1", "s2"),)


@pytest.mark.parametrize(
    ("copy", "kind"), [(9, "near-duplicates-across-split"), (3, "near-duplicates")]
)
def test_nearly_equal_images_are_noted(root: Path, copy: int, kind: str) -> None:
    side = 96 + copy
    turned = image_of(root, 0).resize((side, side)).transpose(Image.Transpose.ROTATE_90)
    turned.save(root / f"images/s{copy}.png")
    finding = only(checked(root))
    assert (finding.kind, finding.severity) == (kind, "note")
    assert finding.groups == (("s0", f"s{copy}"),)


def test_names_of_one_source_on_both_sides_are_one_note_with_counts(root: Path) -> None:
    names = [f"tile{index // 4}_{index}" for index in range(10)]
    for folder in ("images", "masks"):
        for index, name in enumerate(names):
            (root / f"{folder}/s{index}.png").rename(root / f"{folder}/{name}.png")
    finding = only(checked(root))
    assert (finding.kind, finding.severity) == ("sources-across-split", "note")
    # tile0 trains, tile2 validates.
    assert finding.groups == (("tile1_4", "tile1_5", "tile1_6", "tile1_7"),)
    assert "1 group of images whose names share a source (4 images)" in finding.message
    assert "1 of 3 validation images" in finding.message
    assert checked(root, train=8).findings == ()


def test_without_a_split_copies_count_as_within_one_part(root: Path) -> None:
    image_of(root, 1).save(root / "images/s8.png")
    write_mask(root, 8, np.asarray(Image.open(root / "masks/s1.png")))
    check = check_images(open_images(detect(root), root), None, SPLIT, None, SIZE_PX)
    assert only(check).kind == "duplicates"
    assert (check.train, check.positive.train, check.digest) == (None, None, None)


def test_problems_come_first(root: Path) -> None:
    write_mask(root, 0, np.zeros((96, 96), np.uint8))
    image_of(root, 1).save(root / "images/s8.png")
    write_mask(root, 8, np.asarray(Image.open(root / "masks/s1.png")))
    assert [each.severity for each in checked(root).findings] == ["problem", "note"]


class Scaled:
    """Two images whose values are scaled to bytes."""

    label = "scaled"
    names = ("a", "b")

    def load(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return scene(5, index, 96)

    def digest(self) -> str:
        return "0" * 64

    def clipped(self, index: int) -> tuple[int, int]:
        return 30 * index, 100


def test_values_that_the_scale_cuts_off_are_counted(root: Path) -> None:
    check = check_images(Scaled(), "0" * 64, SPLIT, Parts([0], [1]), SIZE_PX)
    finding = only(check)
    assert (finding.kind, finding.severity, finding.names) == ("clipped-values", "note", ("b",))
    assert "1 image with values" in finding.message
    assert "15.00% of all values" in finding.message
    assert check.values == ClippedValues(clipped=30, all=200)
    assert checked(root).values is None


# The contact sheet -----------------------------------------------------------------------


def sheet(root: Path, path: Path, data: Data | None = None) -> int:
    images = open_images(data or detect(root), root)
    return write_sheet(checked(root, data=data), images, path)


def test_no_suspects_need_no_sheet(root: Path, tmp_path: Path) -> None:
    assert sheet(root, tmp_path / "sheet.png") == 0
    assert not (tmp_path / "sheet.png").exists()


def test_the_sheet_shows_suspects_with_the_outline_of_the_mask(root: Path, tmp_path: Path) -> None:
    for index in (1, 2):
        Image.new("RGB", (96 + index, 96 + index), (0, 0, 255)).save(root / f"images/s{index}.png")
        mask = np.zeros((96 + index, 96 + index), np.uint8)
        mask[20:70] = 255
        mask[30, 30] = 7
        write_mask(root, index, mask)
    assert (
        sheet(root, tmp_path / "new/sheet.png", WITH_THRESHOLD) == 4
    )  # inverted and not of two values
    pixels = np.asarray(Image.open(tmp_path / "new/sheet.png").convert("RGB"))
    red, blue = ((pixels == colour).all(axis=2) for colour in ((255, 0, 0), (0, 0, 255)))
    assert 4 * 2 * 90 < red.sum() < 4 * 600
    assert blue.sum() > 4 * 8000


def test_the_sheet_says_on_which_side_an_image_is(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_of(root, 2).save(root / "images/s8.png")
    Image.open(root / "masks/s2.png").save(root / "masks/s8.png")
    captions: list[str] = []

    def drawn(_: object, written: list[str], foot: str) -> Image.Image:
        captions.extend([*written, foot])
        return Image.new("RGB", (9, 9))

    monkeypatch.setattr("ablate.data.contact_sheet._drawn", drawn)
    images = open_images(detect(root), root)
    write_sheet(checked(root), images, tmp_path / "sheet.png", Parts(range(7), range(7, 10)))
    assert captions[:2] == [
        "s2 (training): equal, across the split (group 1)",
        "s8 (validation): equal, across the split (group 1)",
    ]
    assert "2 of 2, at most 24 of each finding" in captions[2]


def test_the_sheet_shows_the_first_of_many_and_what_cannot_be_read(
    root: Path, tmp_path: Path, write_pairs: Callable[..., Path]
) -> None:
    (root / "images/s0.png").write_text("no image")
    names = tuple(f"same{index:02d}" for index in range(30))
    write_pairs(root, names)
    for name in names[1:]:
        (root / f"images/{name}.png").write_bytes((root / f"images/{names[0]}.png").read_bytes())
    assert sheet(root, tmp_path / "sheet.png") == 1 + 24
    pixels = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    assert (pixels == (214, 214, 214)).all(axis=2).sum() > 20_000
