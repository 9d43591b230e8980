import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from holdouts import RELEASED

from ablate.data import detect, identify, open_images
from ablate.data.generated_images import GENERATOR_VERSION
from ablate.errors import DataError
from ablate.spec import BijieData, FoldersData, GeneratedData, digest_of

Writer = Callable[..., Path]
BIJIE = BijieData(kind="bijie")


@pytest.fixture
def bijie(tmp_path: Path, write_pairs: Writer) -> Path:
    return write_pairs(tmp_path / "B", images="landslide/image", masks="landslide/mask")


def folders(images: str = "images", masks: str = "masks") -> FoldersData:
    return FoldersData(kind="folders", images=images, masks=masks)


def test_bijie_opens_its_two_folders(bijie: Path) -> None:
    images = open_images(BIJIE, bijie)
    assert images.label == "Bijie"
    assert images.names == ("a", "b", "c")
    assert images.load(0)[0].shape == (9, 12, 3)


def test_bijie_below_its_root_says_where_the_root_is(bijie: Path) -> None:
    with pytest.raises(DataError, match=rf"is not the Bijie .*; give the folder above it, {bijie}"):
        open_images(BIJIE, bijie / "landslide")


def test_bijie_asked_of_another_layout(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path)
    with pytest.raises(DataError, match=r"has no landslide/image and .*kind: folders"):
        open_images(BIJIE, tmp_path)


def test_folders_open_as_they_are_named(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path / "My set", images="x/pics", masks="outlines")
    images = open_images(folders("x/pics", "outlines"), tmp_path / "My set")
    assert images.label == "My set"
    assert len(images.names) == 3


@pytest.mark.parametrize("data", [BIJIE, folders()], ids=lambda data: data.kind)
def test_a_root_that_is_missing_or_a_file(tmp_path: Path, data: BijieData | FoldersData) -> None:
    with pytest.raises(DataError, match=rf"the data set {data.kind} needs a folder; .*--data"):
        open_images(data, None)
    with pytest.raises(DataError, match=r"nowhere does not exist; check the path"):
        open_images(data, tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"file is a file, not a folder of data; give the folder"):
        open_images(data, tmp_path / "file")
    with pytest.raises(DataError, match="does not exist"):
        detect(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["../images", "/etc", "a/../../b"])
def test_folders_stay_below_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"the folder {name} is not below the data's root"):
        open_images(folders(images=name), tmp_path)


def test_images_cannot_be_their_own_masks(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path)
    with pytest.raises(DataError, match="images and masks are the same folder"):
        open_images(folders("masks", "./masks"), tmp_path)


def test_digests_are_remembered_where_asked(
    bijie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.runs.digests._SETTLED_AFTER_NS", -(10**10))
    cache = tmp_path / "digests.json"
    digest = open_images(BIJIE, bijie, cache).digest()
    assert cache.exists()
    assert open_images(BIJIE, bijie, cache).digest() == digest
    assert open_images(BIJIE, bijie).digest() == digest


@pytest.mark.parametrize("image", ["image", "images", "img"])
@pytest.mark.parametrize("mask", ["mask", "masks", "label", "labels", "annotations"])
def test_known_folder_names_are_detected(tmp_path: Path, image: str, mask: str) -> None:
    for name in (image, mask, "dem", "polygon_coordinate"):
        (tmp_path / name).mkdir()
    assert detect(tmp_path) == folders(image, mask)


def test_bijie_is_detected_before_anything_else(bijie: Path) -> None:
    (bijie / "image").mkdir()
    (bijie / "mask").mkdir()
    assert detect(bijie) == BIJIE


def test_an_unknown_layout_tells_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="but nothing; name its folders in the protocol"):
        detect(tmp_path)
    for name in ("images", "zz", "TrainData"):
        (tmp_path / name).mkdir()
    (tmp_path / "masks").write_text("a file, not a folder")
    with pytest.raises(
        DataError,
        match=r"neither landslide/image with landslide/mask, nor TrainData/img with "
        r"TrainData/mask, nor image\|images\|img with "
        r"mask\|masks\|label\|labels\|annotations, but TrainData, images, masks, …;",
    ):
        detect(tmp_path)


def test_two_possible_pairs_are_not_guessed(tmp_path: Path) -> None:
    for name in ("images", "masks", "labels"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="more than one pair: images, masks, labels; name its"):
        detect(tmp_path)


def test_generated_scenes_need_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def scene(seed: int, index: int, size_px: int) -> tuple[np.ndarray, np.ndarray]:
        made.append((seed, index, size_px))
        return np.zeros((size_px, size_px, 3), np.uint8), np.ones((size_px, size_px), np.bool_)

    monkeypatch.setattr("ablate.data.generated.scene", scene)
    images = open_images(GeneratedData(kind="generated", seed=7, count=12, size_px=32), None)
    assert images.label == "generated data"
    assert images.names == tuple(sorted(images.names))
    assert len(set(images.names)) == 12
    assert made == []
    assert images.load(3)[0].shape == (32, 32, 3)
    assert made == [(7, 3, 32)]


def test_the_digest_of_generated_scenes_is_of_their_recipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = {"kind": "generated", "seed": 7, "count": 12, "size_px": 32}

    def digest(**change: int) -> str:
        data = GeneratedData.model_validate(recipe | change)
        return open_images(data, None).digest()

    assert digest() == digest_of(recipe | {"version": GENERATOR_VERSION})
    digests = {digest(), digest(seed=8), digest(count=13), digest(size_px=48)}
    monkeypatch.setattr("ablate.data.generated_images.GENERATOR_VERSION", GENERATOR_VERSION + 1)
    assert len({*digests, digest()}) == 5


def test_identity_is_made_of_digest_and_split(bijie: Path) -> None:
    images = open_images(BIJIE, bijie)
    identity = identify(images, RELEASED)
    assert identity.label == "Bijie"
    assert identity.digest == images.digest()
    assert (identity.train, identity.validation) == (2, 1)


def test_one_image_is_too_few_to_split(tmp_path: Path, write_pairs: Writer) -> None:
    images = open_images(folders(), write_pairs(tmp_path, ("a",)))
    with pytest.raises(DataError, match=r"of 1 images, validation_share 0\.3 leaves none to train"):
        identify(images, RELEASED)


def test_planning_with_data_and_metrics_loads_no_torch() -> None:
    code = (
        "import sys, ablate.data, ablate.metrics\n"
        "heavy = ('torch', 'torchvision', 'mlflow', 'h5py')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert shown.strip() == "[]"
