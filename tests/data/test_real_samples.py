from pathlib import Path

import numpy as np
import pytest
from holdouts import PAPER, RELEASED
from PIL import Image

from ablate.data import detect, identify, open_images, prepare, split


@pytest.mark.parametrize(
    ("folder", "kind", "label"),
    [
        ("Bijie-landslide-dataset", "bijie", "Bijie"),
        ("landslide4sense-png", "folders", "landslide4sense-png"),
    ],
)
def test_real_samples_open_split_and_prepare(
    samples: Path, tmp_path: Path, folder: str, kind: str, label: str
) -> None:
    data = detect(samples / folder)
    assert data.kind == kind
    images = open_images(data, samples / folder)
    assert (images.label, len(images.names)) == (label, 12)

    identity = identify(images, RELEASED)
    assert (identity.train, identity.validation) == (8, 4)
    assert identity.digest == open_images(data, samples / folder).digest()

    prepared = prepare(images, 64, tmp_path)
    assert prepared.images.shape == (12, 64, 64, 3)
    assert prepared.images.reshape(12, -1).std(axis=1).min() > 5
    train, validation = split(len(prepared.names), RELEASED)
    assert sorted(train + validation) == list(range(12))
    shares = [images.load(index)[1].mean() for index in range(12)]
    np.testing.assert_allclose(prepared.masks.mean(axis=(1, 2)), shares, atol=0.01)


def test_bijie_images_keep_their_own_sizes_until_prepared(samples: Path) -> None:
    images = open_images(
        detect(samples / "Bijie-landslide-dataset"), samples / "Bijie-landslide-dataset"
    )
    assert images.names[0] == "df002"
    assert images.names[-1] == "df013"
    image, mask = images.load(0)
    assert image.shape == (94, 121, 3)
    assert mask.shape == (94, 121)
    assert mask.mean() == pytest.approx(0.1634, abs=1e-4)


def test_landslide4sense_names_are_sorted_as_text(samples: Path) -> None:
    root = samples / "landslide4sense-png"
    names = open_images(detect(root), root).names
    assert names == ("0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9")


def test_the_papers_share_of_landslides_is_that_of_231_validation_images(samples: Path) -> None:
    """All 14 rows of Tables I and IV stand on 10.049 to 10.058 % positive pixels (at 1024²)."""
    root = samples / "bijie-full"
    if not root.is_dir():
        pytest.skip(f"the whole Bijie data set is not at {root}")
    root = next(path.parent for path in root.rglob("landslide") if path.is_dir())
    images = open_images(detect(root), root)
    assert len(images.names) == 770
    expected = ((PAPER, 231, 10.0537), (RELEASED, 232, 10.0195))
    _, released = split(770, RELEASED)
    shares = {index: share_at_1024(images.load(index)[1]) for index in released}
    for spec, count, percent in expected:
        _, validation = split(770, spec)
        assert len(validation) == count
        share = 100 * sum(shares[index] for index in validation) / count
        assert share == pytest.approx(percent, abs=5e-5)


def share_at_1024(mask: np.ndarray) -> float:
    resized = Image.fromarray(mask.astype(np.uint8)).resize((1024, 1024), Image.Resampling.NEAREST)
    return float((np.asarray(resized) > 0.5).mean())
