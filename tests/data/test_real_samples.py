from pathlib import Path

import numpy as np
import pytest

from ablate.data import detect, identify, open_images, prepare, split
from ablate.spec import Split

AUTHORS = Split(seed=42, validation_share=0.3)


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

    identity = identify(images, AUTHORS)
    assert (identity.train, identity.validation) == (8, 4)
    assert identity.digest == open_images(data, samples / folder).digest()

    prepared = prepare(images, 64, tmp_path)
    assert prepared.images.shape == (12, 64, 64, 3)
    assert prepared.images.reshape(12, -1).std(axis=1).min() > 5
    train, validation = split(len(prepared.names), AUTHORS)
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
