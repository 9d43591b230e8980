"""The recipe "add a data set" of CONTRIBUTING.md, followed from outside the package."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from holdouts import PAPER

from ablate.data import identify, open_images, opening, prepare, split
from ablate.data.images import Image, Mask
from ablate.errors import DataError
from ablate.spec import Frozen, digest_of


class StripesData(Frozen):
    """What a protocol says of the data set."""

    kind: Literal["stripes"]
    count: int


class Stripes:
    """Images whose positive pixels are the columns of one stripe."""

    label = "Stripes"

    def __init__(self, data: StripesData, root: Path) -> None:
        self._data = data
        self.names = tuple(f"stripe-{index}" for index in range(data.count))
        self.brightness = int((root / "brightness.txt").read_text())

    def load(self, index: int) -> tuple[Image, Mask]:
        mask = np.zeros((8, 8), np.bool_)
        mask[:, index % 8] = True
        return np.where(mask[..., None], self.brightness, 0).repeat(3, -1).astype(np.uint8), mask

    def digest(self) -> str:
        return digest_of(self._data.model_dump(mode="json") | {"brightness": self.brightness})


def open_stripes(data: StripesData, root: Path, digests: Path | None) -> Stripes:
    if not (root / "brightness.txt").exists():
        raise DataError(f"{root} has no brightness.txt", "write one")
    return Stripes(data, root)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(opening.OPENERS, "stripes", f"{__name__}:{open_stripes.__name__}")


def test_a_new_kind_is_opened_identified_split_and_prepared(tmp_path: Path) -> None:
    (tmp_path / "brightness.txt").write_text("200")
    images = open_images(StripesData(kind="stripes", count=10), tmp_path)
    identity = identify(images, PAPER)
    assert (identity.label, identity.train, identity.validation) == ("Stripes", 7, 3)
    assert identity.digest == images.digest()
    prepared = prepare(images, 16, tmp_path / "cache")
    assert prepared.images.shape == (10, 16, 16, 3)
    assert prepared.masks.mean() == pytest.approx(1 / 8)
    assert prepared.images[prepared.masks == 1].mean() > 100
    train, validation = split(len(prepared.names), PAPER)
    assert sorted(train + validation) == list(range(10))


def test_its_errors_are_those_of_every_data_set(tmp_path: Path) -> None:
    data = StripesData(kind="stripes", count=10)
    with pytest.raises(DataError, match=r"has no brightness\.txt; write one"):
        open_images(data, tmp_path)
    with pytest.raises(DataError, match="the data set stripes needs a folder"):
        open_images(data, None)
