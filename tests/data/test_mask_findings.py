"""Masks that differ from file to file in the values that they hold."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ablate.data import open_images
from ablate.data.checking import check_images
from ablate.data.generated import scene
from ablate.data.split_parts import Parts
from ablate.runs import Finding
from ablate.spec import FoldersData, HoldoutSplit

SPLIT = HoldoutSplit(kind="holdout", seed=0, validation_share=0.3, rounding="floor")
Check = Callable[..., tuple[Finding, ...]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Checks five scenes, of whose masks each holds a stripe of every one of its values."""

    def checked(values: Sequence[Sequence[int]], **mask_values: Any) -> tuple[Finding, ...]:
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir()
        for index, levels in enumerate(values):
            image = scene(3, index, 96 + index)[0]
            mask = np.zeros(image.shape[:2], np.uint8)
            for row, level in enumerate(levels):
                mask[8 * row : 8 * row + 8] = level
            Image.fromarray(image).save(tmp_path / f"images/s{index}.png")
            Image.fromarray(mask).save(tmp_path / f"masks/s{index}.png")
        data = FoldersData.model_validate(
            {"kind": "folders", "images": "images", "masks": "masks"}
            | ({"mask_values": mask_values} if mask_values else {})
        )
        images = open_images(data, tmp_path)
        parts = Parts(range(3), range(3, len(values)))
        return check_images(images, images.digest(), SPLIT, parts, 64).findings

    return checked


def test_masks_of_0_and_1_among_masks_of_0_and_255_are_a_problem(check: Check) -> None:
    (finding,) = check([[255], [1], [255], [1], [255]])
    assert (finding.kind, finding.severity) == ("mask-values", "problem")
    assert "1 in 2 masks (s1, s3); 255 in 3 masks (s0, s2, s4)" in finding.message
    assert "mask_values: {positive: [1, 255], negative: [0]}" in finding.repair
    assert finding.names == ("s1", "s3")


def test_one_value_in_all_masks_is_no_finding(check: Check) -> None:
    assert check([[1]] * 5) == ()


def test_a_declared_value_that_only_some_masks_hold_is_noted(check: Check) -> None:
    values = [[1, 2], [1], [1, 2], [2, 1], [1, 7]]
    (finding,) = check(values, positive=(1, 2), negative=(0, 7))
    assert (finding.kind, finding.severity) == ("mask-values", "note")
    assert "of the 5 masks" in finding.message
    assert "2 in 3 masks (s0, s2, s3); 7 in 1 mask (s4)" in finding.message
    assert finding.names == ("s0", "s2", "s3", "s4")


def test_declared_values_that_all_masks_hold_are_no_finding(check: Check) -> None:
    assert check([[1, 2]] * 5, positive=(1,), negative=(0, 2)) == ()


def test_masks_that_a_threshold_empties_are_noted(check: Check) -> None:
    empty, finding = check([[255], [255], [1], [255], [255]], threshold=127)
    assert (empty.kind, finding.kind, finding.severity) == ("empty-masks", "mask-values", "note")
    assert "1 mask not empty, but with no value above the threshold 127: s2" in finding.message
    assert finding.names == ("s2",)
