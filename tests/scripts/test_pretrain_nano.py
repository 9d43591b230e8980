import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from segment_anything import SamPredictor

from ablate.models.sam import sam_without_weights
from scripts.pretrain_nano.__main__ import WEIGHTS, export
from scripts.pretrain_nano.evaluation import (
    held_out,
    landslides,
    mean_ious,
    smallest_of,
    with_objects_from,
)
from scripts.pretrain_nano.pool import draw, painted
from scripts.pretrain_nano.prompting import Prompts, boxed, clicked, prompt_sam
from scripts.pretrain_nano.recipe import (
    Recipe,
    boxes_of,
    choose,
    drawn_points,
    iou_of,
    noisy_boxes,
    picture_error,
    picture_reader,
)
from scripts.pretrain_nano.start import fresh
from scripts.pretrain_nano.training import Training

TINY = Recipe(steps=4, images=2, objects=2, clicks=1, clicks_after=3, warmup=2, seed=5)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pool():
    return painted(21, 4)


@pytest.fixture
def sam():
    return fresh(3)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# The model ----------------------------------------------------------------------------------


def test_answers_are_those_of_sams_own_code(sam, pool):
    predictor = SamPredictor(sam)
    predictor.set_image(pool.images[0])
    embeddings = predictor.get_image_embedding()
    points = torch.tensor([[30.0, 40.0], [100.0, 7.0]])
    box = torch.tensor([[10.0, 20.0, 90.0, 70.0]])
    earlier = torch.randn(1, 1, 32, 32, generator=seeded())
    with torch.inference_mode():
        by_click = prompt_sam(sam, embeddings.expand(2, -1, -1, -1), clicked(points))
        prompts = boxed(box).with_click(points[:1], torch.tensor([False]), earlier)
        by_box = prompt_sam(sam, embeddings, prompts)
    _, quality, logits = predictor.predict_torch(points[:, None], torch.ones(2, 1))
    torch.testing.assert_close(by_click[0][:, 1:], logits)
    torch.testing.assert_close(by_click[1][:, 1:], quality)
    _, quality, logits = predictor.predict_torch(
        points[:1, None], torch.zeros(1, 1), box, earlier, multimask_output=False
    )
    torch.testing.assert_close(by_box[0][:, :1], logits)
    torch.testing.assert_close(by_box[1][:, :1], quality)


def test_initial_values_are_decided_by_the_seed_alone():
    state = torch.get_rng_state()
    first, same, other = (fresh(seed).state_dict() for seed in (1, 1, 2))
    assert (torch.get_rng_state() == state).all()
    assert all((first[name] == same[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)
    assert all(value.isfinite().all() for value in first.values())


# Batches and prompts ------------------------------------------------------------------------


def test_a_batch_keeps_objects_where_their_labels_are(pool):
    # Labels painted as pictures must be moved as the labels are.
    labels = pool.labels[:, :, :, None].repeat(3, -1) * 20
    images, moved = draw(type(pool)(labels, pool.labels), 8, seeded(4))
    for image, where in zip(images, moved, strict=True):
        assert len(where.unique()) > 2
        grey = image.mean(0)
        within = sum(grey[where == n].var() * (where == n).sum() for n in where.unique())
        assert within / where.numel() < 0.35 * grey.var()


def test_chosen_masks_are_objects_of_their_images():
    labels = torch.zeros(3, 16, 16, dtype=torch.int64)
    labels[0, :4, :4] = 1
    labels[2, 8:, 8:] = 2
    masks, image = choose(labels, 2, seeded())
    assert image.tolist() == [0, 0, 2, 2]
    assert masks.sum((1, 2)).tolist() == [16, 16, 64, 64]


def test_points_are_drawn_evenly_from_the_mask():
    mask = torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[0, 2, 3] = mask[0, 7, 7] = True
    points = drawn_points(mask.expand(400, -1, -1), seeded())
    assert set(map(tuple, points.tolist())) == {(3.0, 2.0), (7.0, 7.0)}
    assert 150 < int((points[:, 0] == 3).sum()) < 250
    anywhere = drawn_points(torch.zeros(400, 8, 8, dtype=torch.bool), seeded())
    assert len(anywhere.unique(dim=0)) == 64


def test_boxes_are_tight_and_their_noise_is_bounded():
    mask = torch.zeros(200, 128, 128, dtype=torch.bool)
    mask[:, 40:80, 10:120] = True
    assert boxes_of(mask)[0].tolist() == [10, 40, 119, 79]
    off = noisy_boxes(mask, seeded()) - boxes_of(mask)
    assert off.abs().max() <= 20
    assert 3 < float(off[:, 1].std()) < 5


def test_iou_counts_pixels():
    left = torch.tensor([[True, True, False]])[None]
    right = torch.tensor([[False, True, True]])[None]
    assert iou_of(left, right).tolist() == pytest.approx([1 / 3])


# Losses -------------------------------------------------------------------------------------


def test_the_picture_is_that_of_the_patchs_cells():
    cells = torch.randn(2, 3, 8, 8, generator=seeded())
    pixels = cells.repeat_interleave(4, 2).repeat_interleave(4, 3)
    # An embedding of 2x2 patches that is the 4x4 cells themselves, colour by colour.
    embedding = cells.view(2, 3, 2, 4, 2, 4).permute(0, 1, 3, 5, 2, 4).reshape(2, 48, 2, 2)
    reader = picture_reader(48, seed=0)
    with torch.no_grad():
        reader.weight.copy_(torch.eye(48))
        known, nothing = (
            picture_error(each, pixels, reader) for each in (embedding, 0 * embedding)
        )
    assert float(known) < 1e-12
    assert float(nothing) == pytest.approx(float(pixels.square().mean()))


def test_further_clicks_come_late():
    recipe = Recipe(steps=10, clicks=2, clicks_after=7)
    assert [recipe.clicks_at(step) for step in (0, 6, 7, 9)] == [0, 0, 2, 2]


# Training -----------------------------------------------------------------------------------


def test_a_few_steps_lower_the_loss(pool, tmp_path):
    recipe = Recipe(steps=12, images=2, objects=2, clicks=0, warmup=2, seed=5)
    training = Training(recipe, pool, tmp_path, CPU)
    losses = []
    for _ in range(recipe.steps):
        training.step = 1  # the same batch each time
        losses.append(training.advance()["total"])
    assert losses[-1] < 0.9 * losses[0]


def run(training):
    training.run(lambda sam: {"click": 0.5}, evaluate_every=2, save_every_s=1e9)


def test_resumed_training_ends_with_the_same_bits(pool, tmp_path):
    straight = Training(TINY, pool, tmp_path / "straight", CPU)
    run(straight)
    killed = Training(TINY, pool, tmp_path / "killed", CPU)
    for _ in range(2):
        killed.advance()
    killed.save()
    killed.advance()  # lost with the kill
    again = Training(TINY, pool, tmp_path / "killed", CPU)
    assert again.step == 2
    run(again)
    expected = straight.sam.state_dict()
    assert all((value == expected[name]).all() for name, value in again.sam.state_dict().items())


def test_the_log_forgets_what_came_after_the_checkpoint(pool, tmp_path):
    run(Training(TINY, pool, tmp_path, CPU))
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text() + json.dumps({"step": 99, "held_out": {}}) + "\n")
    Training(TINY, pool, tmp_path, CPU)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [2, 4]


def test_a_checkpoint_of_another_recipe_is_refused(pool, tmp_path):
    Training(TINY, pool, tmp_path, CPU).save()
    with pytest.raises(SystemExit, match="another recipe"):
        Training(Recipe(steps=5), pool, tmp_path, CPU)


def test_the_learning_rate_rises_and_falls():
    recipe = Recipe(steps=100, warmup=10, lr=1.0)
    rates = [recipe.lr_at(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[100] == pytest.approx(0.01)


# Results ------------------------------------------------------------------------------------


def test_the_file_is_a_whole_sam_in_the_official_layout(sam, tmp_path):
    facts = export(sam, tmp_path)
    assert facts["bytes"] == (tmp_path / WEIGHTS).stat().st_size < 10e6
    weights = load_file(tmp_path / WEIGHTS)
    assert {value.dtype for value in weights.values()} == {torch.float32}
    loaded = sam_without_weights("vit_nano")
    loaded.load_state_dict(weights, strict=True, assign=True)
    expected = sam.state_dict()
    assert all((value == expected[name]).all() for name, value in loaded.state_dict().items())


def test_evaluation_tells_a_box_from_a_random_model(sam):
    image = np.zeros((128, 128, 3), np.uint8)
    mask = np.zeros((1, 128, 128), bool)
    mask[0, 20:60, 30:90] = True
    found = mean_ious(sam, [(image, mask)])
    assert found["box_filled"] == 1.0
    assert found["click"] <= found["click_oracle"] < 1.0


def test_samples_hold_only_objects_that_are_seen(pool):
    for samples in (held_out(pool), landslides(3)):
        for image, masks in samples:
            assert image.shape == (128, 128, 3)
            assert masks.sum((1, 2)).min() >= 30


def test_small_objects_can_be_left_out():
    masks = np.zeros((3, 128, 128), bool)
    masks[0, :10, :10] = masks[1, :20, :20] = masks[2, :30, :30] = True
    samples = [("first", masks), ("second", masks[:1])]
    ((image, kept),) = with_objects_from(400, samples)
    assert (image, kept.sum((1, 2)).tolist()) == ("first", [400, 900])
    assert smallest_of(samples) == 100


def test_a_click_adds_a_point_of_its_kind():
    prompts = clicked(torch.zeros(2, 2))
    more = prompts.with_click(
        torch.ones(2, 2), torch.tensor([True, False]), torch.zeros(2, 1, 32, 32)
    )
    assert isinstance(more, Prompts)
    assert more.kinds.tolist() == [[1, -1, 1], [1, -1, 0]]
    assert more.points.shape == (2, 3, 2)
