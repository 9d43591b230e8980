"""SAM's training recipe in small (Kirillov et al., Segment Anything, 2023, appendix A).

Kept: the first prompt is a click or a noisy box with equal probability; further clicks are drawn
from where the last answer is wrong, with its logits as mask prompt; focal and dice loss at 20:1;
the best of three masks for a single click, the one mask for everything else; squared error on
predicted quality; AdamW with warm-up.

Left out, being means against the overfitting and instability of a large, already trained encoder:
layer-wise decay of the learning rate and drop path. Changed, to be done on one core within the
hour: one further click instead of eight, and that in the last steps alone; losses on the decoder's
own grid, against the share of each cell that the object covers; the focal loss is balanced at first
(``Recipe.balanced``); the second moment forgets sooner (``Recipe.memory``); the learning rate falls
along a cosine.

Added: the picture is to be read from the image embedding (``Recipe.picture``), where SAM's encoder
has its masked autoencoding behind it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from scripts.pretrain_nano.prompting import Prompts, boxed, clicked, prompt_sam

_FOCUS = 2.0
_FOCAL_WEIGHT = 20.0
_CELLS = 4
_BOX_NOISE, _BOX_NOISE_MOST_PX = 0.1, 20.0


@dataclass(frozen=True)
class Recipe:
    """What decides the training, beside the scenes.

    Attributes:
        steps: Optimiser steps.
        images: Scenes of a step.
        objects: Objects that SAM is prompted for in each scene, drawn with repetition.
        clicks: Further clicks after the first prompt.
        clicks_after: Steps with the first prompt alone: a step is then nearly twice as fast, and
            the image encoder learns as much.
        loss_px: Side of the grid on which masks are compared.
        lr: Highest learning rate.
        warmup: Steps until it is reached.
        picture: Weight of the squared error of the picture that a linear map reads from the
            image embedding (``picture_error``).
        weight_decay: Of AdamW.
        memory: AdamW's second beta. With the usual 0.999 the large gradients of the first steps
            hold back the small ones that distinguish places.
        balanced: Steps until the focal loss counts every pixel alike. At first an object counts as
            much as all around it; else the model learns to answer with nothing, and stays there.
        clip: Largest norm of the gradient.
        seed: Decides initial values, batches and prompts.
    """

    steps: int
    images: int = 16
    objects: int = 4
    clicks: int = 1
    clicks_after: int = 13_000
    loss_px: int = 32
    lr: float = 1e-3
    warmup: int = 100
    picture: float = 0.5
    weight_decay: float = 0.05
    memory: float = 0.97
    balanced: int = 600
    clip: float = 1.0
    seed: int = 0

    def lr_at(self, step: int) -> float:
        """Warm-up along a line, then half a cosine down to a hundredth."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def clicks_at(self, step: int) -> int:
        """None at first."""
        return self.clicks if step >= self.clicks_after else 0

    def balance_at(self, step: int) -> float:
        """From 1 down to 0 along a line."""
        return max(0.0, 1 - step / self.balanced)


@dataclass(frozen=True)
class Losses:
    """One step's loss and its parts, averaged over prompts and rounds."""

    total: Tensor
    focal: Tensor
    dice: Tensor
    quality: Tensor
    picture: Tensor


# Objects and prompts ------------------------------------------------------------------------


def choose(labels: Tensor, objects: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draws objects, each of an image's with equal probability.

    Args:
        labels: BxHxW.
        objects: How many for each image, with repetition.
        generator: On the CPU.

    Returns:
        Their masks (PxHxW, bool) and the image of each (P). Images without objects have none.
    """
    seen = torch.stack([torch.bincount(one.flatten(), minlength=64) for one in labels])[:, 1:]
    # A cut-out may leave a few pixels of an object.
    weights = (seen >= 12).float()
    kept = weights.sum(1).nonzero().squeeze(1)
    drawn = torch.multinomial(weights[kept], objects, replacement=True, generator=generator) + 1
    image = kept.repeat_interleave(objects)
    return labels[image] == drawn.flatten()[:, None, None], image


def drawn_points(where: Tensor, generator: torch.Generator) -> Tensor:
    """A random pixel of each mask (PxHxW); where a mask is empty, of the image.

    Returns:
        Px2, (x, y).
    """
    flat = where.flatten(1)
    flat = flat | ~flat.any(1, keepdim=True)
    # The n-th pixel of the mask, n being drawn: much faster than torch.multinomial.
    so_far = flat.cumsum(1, dtype=torch.int32)
    number = so_far[:, -1:]
    wanted = (torch.rand(number.shape, generator=generator) * number).int().clamp(max=number - 1)
    place = torch.searchsorted(so_far, wanted + 1).squeeze(1)
    width = where.shape[2]
    return torch.stack((place % width, place // width), 1).float()


def boxes_of(masks: Tensor) -> Tensor:
    """The tight box of each mask (PxHxW, none empty): left, top, right, bottom; Px4."""

    def ends(line: Tensor) -> tuple[Tensor, Tensor]:
        first = line.int().argmax(1)
        last = line.shape[1] - 1 - line.flip(1).int().argmax(1)
        return first, last

    left, right = ends(masks.any(1))
    top, bottom = ends(masks.any(2))
    return torch.stack((left, top, right, bottom), 1).float()


def noisy_boxes(masks: Tensor, generator: torch.Generator) -> Tensor:
    """Boxes (Px4) that miss by a tenth of their sides, at most 20 pixels."""
    boxes = boxes_of(masks)
    sides = (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)
    noise = torch.randn(boxes.shape, generator=generator) * _BOX_NOISE * sides
    limit = torch.full_like(sides, _BOX_NOISE_MOST_PX)
    return (boxes + noise.clamp(-limit, limit)).clamp(0, masks.shape[-1] - 1)


# Losses -------------------------------------------------------------------------------------


def _mask_losses(logits: Tensor, ground_truth: Tensor, balance: float) -> tuple[Tensor, Tensor]:
    """Focal and dice loss of each mask.

    Args:
        logits: PxMxhxw.
        ground_truth: Px1xhxw, shares of pixels in [0, 1].
        balance: 0: every pixel counts alike; 1: an object counts as much as all around it.

    Returns:
        PxM each.
    """
    share = ground_truth.mean((2, 3), keepdim=True).clamp(1e-3, 1 - 1e-3)
    weight = 1 + balance * (
        ground_truth * (0.5 / share) + (1 - ground_truth) * (0.5 / (1 - share)) - 1
    )
    ground_truth = ground_truth.expand_as(logits)
    probability = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, ground_truth, reduction="none")
    # Truths between 0 and 1, at outlines, are focused by how far off the probability is.
    focal = ((probability - ground_truth).abs() ** _FOCUS * entropy * weight).mean((2, 3))
    overlap = (probability * ground_truth).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (probability.sum((2, 3)) + ground_truth.sum((2, 3)) + 1)
    return focal, dice


def iou_of(found: Tensor, ground_truth: Tensor) -> Tensor:
    """Intersection over union of boolean masks over their last two axes; 0 where both are empty."""
    union = (found | ground_truth).sum((-2, -1))
    return (found & ground_truth).sum((-2, -1)) / union.clamp(min=1)


def picture_error(embeddings: Tensor, pixels: Tensor, reader: nn.Linear) -> Tensor:
    """How badly a linear map reads the picture from the embedding.

    Args:
        embeddings: BxCxhxw.
        pixels: The normalised images, Bx3xHxW.
        reader: From C numbers to the colours of the 4x4 cells of a patch, 3·16.

    Returns:
        The mean squared error; 1 is about that of a grey picture.
    """
    cell_px = pixels.shape[-1] // (_CELLS * embeddings.shape[-1])
    cells = F.pixel_unshuffle(F.avg_pool2d(pixels, cell_px), _CELLS)
    return F.mse_loss(reader(embeddings.permute(0, 2, 3, 1)), cells.permute(0, 2, 3, 1))


def picture_reader(channels: int, seed: int) -> nn.Linear:
    """A linear map from embeddings to the colours of a patch's 4x4 cells; no part of SAM."""
    reader = nn.Linear(channels, 3 * _CELLS**2, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        reader.weight.normal_(std=0.02, generator=torch.Generator().manual_seed(seed))
        reader.bias.zero_()
    return reader


def step_losses(
    sam: Sam,
    reader: nn.Linear,
    images: Tensor,
    masks: Tensor,
    image: Tensor,
    recipe: Recipe,
    step: int,
    generator: torch.Generator,
) -> Losses:
    """Prompts for every object, first by click or box, then with further clicks, and compares.

    Args:
        sam: The model, on the device of ``images``.
        reader: Reads pictures, see ``picture_error``.
        images: Bx3xHxW in 0..255.
        masks: PxHxW, the objects, on the CPU.
        image: P, the image of each.
        recipe: Rounds, grid and balance.
        step: How far the training is.
        generator: On the CPU.
    """
    device = images.device
    clicks, balance = recipe.clicks_at(step), recipe.balance_at(step)
    pixels = sam.preprocess(images)
    seen = sam.image_encoder(pixels)
    embeddings = seen[image.to(device)]
    ground_truth = F.adaptive_avg_pool2d(masks[:, None].float(), recipe.loss_px).to(device)
    is_box = torch.rand(len(masks), generator=generator) < 0.5
    click, box = clicked(drawn_points(masks, generator)), boxed(noisy_boxes(masks, generator))
    prompts = Prompts(
        torch.where(is_box[:, None, None], box.points, click.points).to(device),
        torch.where(is_box[:, None], box.kinds, click.kinds).to(device),
    )
    rounds = list(
        _rounds(sam, embeddings, prompts, ~is_box, masks, ground_truth, clicks, generator, balance)
    )
    focal, dice, quality = (torch.stack(part).mean() for part in zip(*rounds, strict=True))
    picture = picture_error(seen, pixels, reader)
    total = _FOCAL_WEIGHT * focal + dice + quality + recipe.picture * picture
    return Losses(total, focal, dice, quality, picture)


def _rounds(
    sam: Sam,
    embeddings: Tensor,
    prompts: Prompts,
    ambiguous: Tensor,
    masks: Tensor,
    ground_truth: Tensor,
    clicks: int,
    generator: torch.Generator,
    balance: float,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Focal, dice and quality loss of each round of prompts."""
    device = embeddings.device
    every = torch.arange(len(masks), device=device)
    side = ground_truth.shape[-1]
    several = ambiguous.to(device)
    for left in range(clicks, -1, -1):
        logits, quality = prompt_sam(sam, embeddings, prompts)
        large = F.interpolate(logits, size=(side, side), mode="bilinear", align_corners=False)
        focal, dice = _mask_losses(large, ground_truth, balance)
        iou = iou_of(large.detach() > 0, ground_truth > 0.5)
        # Mask 0 answers what is clear, the best of masks 1 to 3 what is not; every mask that was
        # in the running learns its quality.
        cost = (_FOCAL_WEIGHT * focal + dice).detach()
        best = torch.where(several, 1 + cost[:, 1:].argmin(1), 0)
        running = torch.ones_like(quality)
        running[:, 0] = (~several).float()
        running[:, 1:] = several[:, None].float()
        error = (running * (quality - iou) ** 2).sum() / running.sum()
        yield focal[every, best].mean(), dice[every, best].mean(), error
        if left:
            # What SAM would show: of three masks the one that it rates best.
            shown = torch.where(several, 1 + quality[:, 1:].argmax(1), 0)
            answer = logits.detach()[every, shown]
            prompts = _corrected(prompts, answer, masks, generator)
            several = torch.zeros_like(several)


def _corrected(
    prompts: Prompts, answer: Tensor, masks: Tensor, generator: torch.Generator
) -> Prompts:
    """A click where the answer (Pxhxw, logits) is wrong, and the answer as mask prompt."""
    found = F.interpolate(
        answer[:, None].cpu(), size=masks.shape[-2:], mode="bilinear", align_corners=False
    )[:, 0]
    points = drawn_points((found > 0) != masks, generator)
    every = torch.arange(len(masks))
    inside = masks[every, points[:, 1].long(), points[:, 0].long()]
    device = answer.device
    return prompts.with_click(points.to(device), inside.to(device), answer[:, None])
