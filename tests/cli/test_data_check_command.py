import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.command import ablate

SMALL = ("--set", "image_size_px=64")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3)).astype(np.uint8)
        mask = np.zeros((30, 40), np.uint8)
        mask[:6] = 255
        Image.fromarray(pixels).save(root / f"images/{number}.png")
        Image.fromarray(mask).save(root / f"masks/{number}.png")
    return root


def test_sound_data_leaves_with_0(root: Path, tmp_path: Path) -> None:
    done = ablate(tmp_path, "data", "check", "set", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "sizes: all 40×30 pixels",
        "split of protocol paper: 7 to train, 3 to validate",
        "positive pixels at 64 px: all 20.31%, train 20.31%, validation 20.31%",
        "equal or nearly equal images: none",
        "images that overlap in part: not looked for (--overlaps)",
        "set: 10 images, 0 problems, 0 notes",
    ]
    assert "kept in ablate-store" in done.stderr
    assert len(list((tmp_path / "ablate-store" / "data-checks").glob("*.json"))) == 1


def test_groups_and_a_test_part_are_counted(root: Path, tmp_path: Path) -> None:
    lines = [f"{number},{number // 2}" for number in range(10)]
    (root / "groups.csv").write_text("\n".join(lines))
    split = "{kind: groups, file: groups.csv, validation_share: 0.4, seed: 0, test: %s}"
    test = "{share: 0.2, seed: 0}"
    done = ablate(tmp_path, "data", "check", "set", *SMALL, "--set", f"split={split % test}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:4] == [
        "split of protocol paper: 4 to train, 4 to validate, 2 to test",
        "groups: 2 to train, 2 to validate, 1 to test",
        "positive pixels at 64 px: all 20.31%, train 20.31%, validation 20.31%, test 20.31%",
    ]


def test_a_note_leaves_with_0_and_a_problem_with_1(root: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(root / "masks/4.png")
    done = ablate(tmp_path, "data", "check", "set", *SMALL, "--sheet", "out/sheet.png")
    assert done.returncode == 0, done.stderr
    assert "note    1 mask without a positive pixel: 4" in done.stdout
    assert "sheet written to out/sheet.png" in done.stderr
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert sheet.format == "PNG"
    (root / "images/2.png").write_text("broken")
    done = ablate(tmp_path, "data", "check", "set", *SMALL)
    assert done.returncode == 1
    problem, repair = done.stdout.splitlines()[5:7]
    assert problem.startswith("problem 1 image cannot be used (2); the first: ")
    assert repair == "        → replace the file"


def test_json_is_the_whole_value(root: Path, tmp_path: Path) -> None:
    (root / "images/2.png").write_bytes((root / "images/1.png").read_bytes())
    done = ablate(tmp_path, "data", "check", "set", *SMALL, "--format", "json")
    value = json.loads(done.stdout)
    assert value["images"] == 10
    (finding,) = value["findings"]
    assert finding["groups"] == [["1", "2"]]
    (kept,) = (tmp_path / "ablate-store" / "data-checks").glob("*.json")
    assert json.loads(kept.read_text()) == value
    assert done.returncode == (finding["severity"] == "problem")


def test_without_suspects_no_sheet_is_written(root: Path, tmp_path: Path) -> None:
    done = ablate(tmp_path, "data", "check", "set", *SMALL, "--sheet", "sheet.png")
    assert "no suspects" in done.stderr
    assert not (tmp_path / "sheet.png").exists()


def test_a_missing_folder_is_bad_input(tmp_path: Path) -> None:
    done = ablate(tmp_path, "data", "check", "nowhere")
    assert done.returncode == 2
    assert done.stderr == "error: there is no folder nowhere; give the data set's folder\n"
    assert list(tmp_path.iterdir()) == []


def test_images_without_masks_are_a_problem_and_nothing_is_kept(root: Path, tmp_path: Path) -> None:
    (root / "masks/3.png").unlink()
    done = ablate(tmp_path, "data", "check", "set")
    assert done.returncode == 1
    assert "problem no mask belongs to 1 file: 3" in done.stdout
    assert "not kept" in done.stderr
    assert not (tmp_path / "ablate-store").exists()
