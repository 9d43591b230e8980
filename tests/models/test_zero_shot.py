"""Unadapted SAM (zero-shot): its prompts, its masks, and how the ground truth sorts them."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ablate.models import count, zero_shot
from ablate.models.sam import sam_without_weights
from ablate.models.zero_shot import (
    ZeroShot,
    build_zero_shot,
    interior_points,
    positive_masks,
)
from ablate.runs import Parameters
from ablate.spec import Everything, InteriorPoints, ZeroShotVariant

Mask = NDArray[np.bool_]
BuildZeroShot = Callable[..., ZeroShot]

POINTS = InteriorPoints(kind="interior-points")
# SAM-nano rates its masks lower than SAM does: without thresholds, some are left.
LENIENT = Everything(kind="everything", points_per_side=3, min_quality=0, min_stability=0)


def prompted(prompts: InteriorPoints | Everything) -> ZeroShotVariant:
    return ZeroShotVariant(system="sam-zero-shot", prompts=prompts)


@pytest.fixture
def build_nano_zero_shot(nano_weights: dict[str, Tensor]) -> BuildZeroShot:
    def build_it(prompts: InteriorPoints | Everything, image_size_px: int = 128) -> ZeroShot:
        return build_zero_shot(
            prompted(prompts),
            "vit_nano",
            image_size_px=image_size_px,
            weights=nano_weights,
            device=torch.device("cpu"),
        )

    return build_it


def noise(side: int = 128) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (side, side, 3), dtype=np.uint8)


def drawn(rows: str) -> Mask:
    return np.array([[sign == "#" for sign in row] for row in rows.split()])


def block(side: int, *boxes: tuple[int, int, int, int]) -> Mask:
    """Positive where the boxes are (first row, first column, height, width)."""
    ground_truth = np.zeros((side, side), dtype=np.bool_)
    for row, column, height, width in boxes:
        ground_truth[row : row + height, column : column + width] = True
    return ground_truth


# Interior points --------------------------------------------------------------------------

# As (x, y): column, row.
SHAPES = {
    "a ring, not its centre": (drawn(".#### .#..# .#..# .####"), [(1, 0)]),
    "a C with a thick arm": (drawn("####### #...... #...... ####### ####### #######"), [(1, 4)]),
    "a diagonal, by corners": (drawn("#... .#.. ..#. ...#"), [(0, 0)]),
    "the other diagonal": (drawn("...# ..#. .#.. #..."), [(3, 0)]),
    "a block in the image's corner": (block(9, (0, 0, 5, 5)), [(2, 2)]),
    "the whole image": (block(7, (0, 0, 7, 7)), [(3, 3)]),
    "one pixel in the last corner": (block(6, (5, 5, 1, 1)), [(5, 5)]),
    "equally deep pixels": (block(6, (2, 1, 2, 2)), [(1, 2)]),
    "two side by side": (block(12, (1, 1, 3, 3), (1, 5, 5, 7)), [(2, 2), (7, 3)]),
    "one within another": (drawn("##### #...# #.#.# #...# #####"), [(0, 0), (2, 2)]),
    "none": (block(4), []),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_deepest_pixel_of_each_region_becomes_a_prompt(name: str) -> None:
    ground_truth, expected = SHAPES[name]
    assert [tuple(point) for point in interior_points(ground_truth).tolist()] == expected


def test_points_are_the_deepest_of_their_components_by_exhaustion() -> None:
    rng = np.random.default_rng(0)
    for share in np.linspace(0.1, 0.95, 20):
        ground_truth = rng.random((12, 15)) < share
        components, number = ndimage.label(ground_truth, structure=np.ones((3, 3)))
        outside = np.argwhere(~np.pad(ground_truth, 1)) - 1
        points = interior_points(ground_truth)
        assert [components[y, x] for x, y in points] == list(range(1, number + 1))
        for index, (x, y) in enumerate(points, start=1):
            pixels = np.argwhere(components == index)
            depth = np.square(pixels[:, None] - outside[None]).sum(-1).min(1)
            # The first of the deepest: argwhere lists in row-major order, and so does argmax.
            assert tuple(pixels[depth.argmax()]) == (y, x)


def test_the_mask_of_one_region_is_sams_own(build_nano_zero_shot: BuildZeroShot) -> None:
    model = build_nano_zero_shot(POINTS)
    image, ground_truth = noise(), block(128, (10, 70, 21, 31))
    predictor = SamPredictor(model.sam)
    predictor.set_image(image)
    masks, quality, _ = predictor.predict(np.array([[80, 20]]), np.array([1]))
    prediction = model.predict(image, ground_truth)
    assert prediction.dtype == np.bool_
    assert [np.array_equal(prediction, mask) for mask in masks] == list(quality == quality.max())
    assert 0 < prediction.mean() < 1


@pytest.mark.parametrize("side", [96, 160])
def test_another_image_size_is_neither_resized_nor_padded(
    build_nano_zero_shot: BuildZeroShot, side: int
) -> None:
    model = build_nano_zero_shot(POINTS, side)
    image, sam = noise(side), model.sam
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = ((torch.tensor(image) / 255 - mean) / std).permute(2, 0, 1)[None]
    with torch.inference_mode():
        sparse, dense = sam.prompt_encoder(
            points=(torch.tensor([[[45.0, 25.0]]]), torch.tensor([[1]])), boxes=None, masks=None
        )
        small, quality = sam.mask_decoder(
            image_embeddings=sam.image_encoder(normalised),
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
        logits = F.interpolate(small, (side, side), mode="bilinear")[0, quality.argmax()].numpy()
    prediction = model.predict(image, block(side, (20, 40, 11, 11)))
    assert prediction.shape == (side, side)
    # Normalising in another order rounds differently, which may turn a logit near zero.
    unsure = np.abs(logits) < 1e-3
    assert (prediction == (logits > 0))[~unsure].all()
    assert unsure.mean() < 0.01


def test_several_regions_give_the_union(
    build_nano_zero_shot: BuildZeroShot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zero_shot, "_POINTS_PER_BATCH", 2)
    model = build_nano_zero_shot(POINTS)
    boxes = [(5, 5, 9, 9), (5, 100, 9, 9), (60, 60, 9, 9), (100, 5, 9, 9), (100, 100, 9, 9)]
    singly = [model.predict(noise(), block(128, box)) for box in boxes]
    together = model.predict(noise(), block(128, *boxes))
    # Decoding in batches may round differently, which turns single pixels.
    assert (together != np.any(singly, axis=0)).mean() < 1e-3
    for left_out in range(len(boxes)):
        fewer = np.any(singly[:left_out] + singly[left_out + 1 :], axis=0)
        assert (together != fewer).mean() > 1e-3


def test_without_a_positive_region_sam_is_not_prompted(build_nano_zero_shot: BuildZeroShot) -> None:
    model = build_nano_zero_shot(POINTS)
    calls: list[nn.Module] = []
    for part in model.sam.children():
        part.register_forward_hook(lambda module, *_: calls.append(module))
    prediction = model.predict(noise(), block(128))
    assert (prediction.shape, prediction.any(), calls) == ((128, 128), False, [])
    model.predict(noise(), block(128, (5, 5, 9, 9), (60, 60, 9, 9)))
    assert calls == [model.sam.image_encoder, model.sam.prompt_encoder, model.sam.mask_decoder]


# Everything -------------------------------------------------------------------------------


def test_a_mask_counts_if_more_than_half_of_it_is_positive() -> None:
    ground_truth = block(20, (0, 0, 10, 20))
    more, half, less = (block(20, (rows, 0, 10, 10)) for rows in (4, 5, 6))
    assert [np.count_nonzero(mask & ground_truth) for mask in (more, half, less)] == [60, 50, 40]
    barely = more & ~block(20, (4, 0, 2, 9))
    assert 2 * np.count_nonzero(barely & ground_truth) == np.count_nonzero(barely) + 2
    for mask in (more, barely):
        assert np.array_equal(positive_masks([mask], ground_truth), mask)
    for mask in (half, less, block(20)):
        assert not positive_masks([mask], ground_truth).any()


def test_a_mask_of_51_percent_counts() -> None:
    ground_truth = block(10, (0, 0, 5, 10), (5, 0, 1, 1))
    everything = block(10, (0, 0, 10, 10))
    assert positive_masks([everything], ground_truth).all()
    ground_truth[5, 0] = False
    assert not positive_masks([everything], ground_truth).any()


def test_the_generators_masks_are_sorted_by_the_ground_truth(
    build_nano_zero_shot: BuildZeroShot, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground_truth = block(128, (0, 0, 64, 128))
    inside, overlapping, outside = (block(128, (row, 8, 40, 40)) for row in (4, 30, 60))
    offered = [{"segmentation": mask} for mask in (outside, overlapping, inside)]
    monkeypatch.setattr(SamAutomaticMaskGenerator, "generate", lambda self, image: offered)
    prediction = build_nano_zero_shot(LENIENT).predict(noise(), ground_truth)
    assert np.array_equal(prediction, inside | overlapping)


def test_each_field_of_the_generator_changes_something(
    build_nano_zero_shot: BuildZeroShot,
) -> None:
    # Where all is positive, every mask counts.
    image, ground_truth = noise(), block(128, (0, 0, 128, 128))
    prediction = build_nano_zero_shot(LENIENT).predict(image, ground_truth)
    assert 0 < prediction.mean() < 1
    assert np.array_equal(build_nano_zero_shot(LENIENT).predict(image, ground_truth), prediction)
    for change in ({"points_per_side": 2}, {"min_quality": 1.0}, {"min_stability": 1.0}):
        other = build_nano_zero_shot(LENIENT.model_copy(update=change))
        assert not np.array_equal(other.predict(image, ground_truth), prediction), change


def test_what_the_generator_makes_lies_where_sam_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Tensor] = []

    def generate(self: SamAutomaticMaskGenerator, image: Mask) -> list[dict[str, Mask]]:
        made.append(torch.zeros(1))
        return []

    monkeypatch.setattr(SamAutomaticMaskGenerator, "generate", generate)
    sam = sam_without_weights("vit_nano", device="meta")
    assert zero_shot._every_mask(sam, LENIENT, np.zeros((128, 128, 3), np.uint8)) == []
    assert [each.device for each in made] == [sam.device]


def test_the_generator_needs_neither_opencv_nor_pycocotools(
    build_nano_zero_shot: BuildZeroShot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    model = build_nano_zero_shot(LENIENT, 96)
    assert model.predict(noise(96), block(96)).shape == (96, 96)


# The model --------------------------------------------------------------------------------


@pytest.mark.parametrize("prompts", [POINTS, LENIENT])
def test_the_global_generators_are_left_alone(
    build_nano_zero_shot: BuildZeroShot, prompts: InteriorPoints | Everything
) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1:3]
    build_nano_zero_shot(prompts).predict(noise(), block(128, (5, 5, 9, 9)))
    assert torch.equal(torch.get_rng_state(), before[0])
    for now, then in zip(np.random.get_state()[1:3], before[1], strict=True):
        assert np.array_equal(now, then)


@pytest.mark.parametrize("side", [128, 96])
def test_all_of_sam_is_frozen_and_shares_the_weights(
    build_nano_zero_shot: BuildZeroShot, nano_weights: dict[str, Tensor], side: int
) -> None:
    sam = build_nano_zero_shot(POINTS, side).sam
    assert not any(value.requires_grad for value in sam.parameters())
    assert not any(module.training for module in sam.modules())
    own = {
        name
        for name, value in sam.state_dict().items()
        if value.data_ptr() != nano_weights[name].data_ptr()
    }
    assert own == (set() if side == 128 else {"image_encoder.pos_embed"})


def test_weights_with_a_gap_are_refused(nano_weights: dict[str, Tensor]) -> None:
    gap = "prompt_encoder.point_embeddings.1.weight"
    weights = {name: value for name, value in nano_weights.items() if name != gap}
    with pytest.raises(RuntimeError, match=gap):
        build_zero_shot(
            prompted(POINTS),
            "vit_nano",
            image_size_px=128,
            weights=weights,
            device=torch.device("cpu"),
        )


def test_an_image_or_ground_truth_of_another_size_is_refused(
    build_nano_zero_shot: BuildZeroShot,
) -> None:
    model = build_nano_zero_shot(POINTS)
    for image, ground_truth in ((noise(96), block(128)), (noise(), block(96))):
        with pytest.raises(ValueError, match="128x128x3"):
            model.predict(image, ground_truth)


def test_the_prompt_encoder_is_counted_too(build_nano_zero_shot: BuildZeroShot) -> None:
    total = 308_278_272 + 6_220 + 4_058_340
    expected = Parameters(total=total, trainable=0, adapter=0, sites=0)
    assert count(prompted(POINTS), "vit_l") == expected
    built = build_nano_zero_shot(LENIENT).count_parameters()
    assert built == count(prompted(LENIENT), "vit_nano")
