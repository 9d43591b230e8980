"""Scenes painted once, kept in two files, and the batches that training draws from them."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from scripts.pretrain_nano.scenes import SIZE_PX, scene


@dataclass(frozen=True)
class Pool:
    """Scenes in memory or mapped from files.

    Attributes:
        images: NxHxWx3, RGB.
        labels: NxHxW, as ``scenes.scene`` gives them.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        """How many scenes there are."""
        return len(self.images)


def painted(seed: int, count: int) -> Pool:
    """Paints scenes 0 to ``count`` - 1 of a seed into memory."""
    images = np.empty((count, SIZE_PX, SIZE_PX, 3), np.uint8)
    labels = np.empty((count, SIZE_PX, SIZE_PX), np.uint8)
    for index in range(count):
        images[index], labels[index] = scene(seed, index)
    return Pool(images, labels)


def kept(folder: Path, seed: int, count: int) -> Pool:
    """The same scenes, painted into files the first time and mapped from then on.

    Args:
        folder: Where the two files lie; their names hold seed and count.
        seed: Seed of the set of scenes.
        count: How many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{what}-{seed}-{count}.npy" for what in ("images", "labels")]
    if not all(path.exists() for path in paths):
        pool = painted(seed, count)
        for path, values in zip(paths, (pool.images, pool.labels), strict=True):
            # A kill must not leave half a file under the final name.
            temporary = path.with_suffix(f".{os.getpid()}")
            with temporary.open("wb") as file:
                np.save(file, values)
            temporary.replace(path)
    return Pool(*(np.load(path, mmap_mode="r") for path in paths))


def draw(pool: Pool, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A batch of scenes, each turned, mirrored, cut out and coloured anew.

    Args:
        pool: Where the scenes come from.
        count: B, how many.
        generator: On the CPU; decides everything.

    Returns:
        Images, Bx3xHxW in 0..255, and labels, BxHxW (int64).
    """
    chosen = torch.randint(len(pool), (count,), generator=generator).numpy()
    images = torch.from_numpy(pool.images[chosen]).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(pool.labels[chosen]).float()[:, None]
    images, labels = _moved(images, labels, generator)
    return _recoloured(images, generator) * 255, labels[:, 0].long()


def _moved(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Quarter turns, mirrors and, in half of the scenes, a cut-out brought to full size.

    Scales go from 1 to 1.6: what is small is seen large as well.
    """
    count = len(images)
    angle = torch.randint(4, (count,), generator=generator) * (torch.pi / 2)
    mirror = torch.randint(2, (count,), generator=generator) * 2.0 - 1
    enlarged = torch.rand(count, generator=generator) < 0.5
    share = torch.where(enlarged, 1 - 0.375 * torch.rand(count, generator=generator), 1.0)
    shift = (2 * torch.rand(count, 2, generator=generator) - 1) * (1 - share)[:, None]
    # Exact quarter turns: sines of multiples of π/2 are off by rounding otherwise.
    cos, sin = angle.cos().round() * share, angle.sin().round() * share
    rows = (cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1])
    theta = torch.stack(rows, 1).view(count, 2, 3)
    grid = F.affine_grid(theta, [count, 1, *images.shape[-2:]], align_corners=False)
    return (
        F.grid_sample(images, grid, "bilinear", "reflection", align_corners=False),
        F.grid_sample(labels, grid, "nearest", "reflection", align_corners=False),
    )


def _recoloured(images: Tensor, generator: torch.Generator) -> Tensor:
    """Somewhat other hues, contrasts, brightness, paler colours, and noise; Bx3xHxW in [0, 1].

    Any hue at all would teach the image encoder that colours mean nothing: what is trained on it
    later finds none left.
    """
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)

    # A turn about the grey axis (Rodrigues) changes the hue and keeps the mean of the channels.
    angle = 0.35 * torch.randn(count, 1, 1, generator=generator)
    axis = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
    turn = angle.cos() * (torch.eye(3) - axis) + axis + angle.sin() * cross
    images = torch.einsum("bij,bjhw->bihw", turn, images)
    grey = images.mean(1, keepdim=True)
    images = grey + uniform(0.4, 1.2) * (images - grey)
    centre = images.mean((1, 2, 3), keepdim=True)
    images = (images - centre) * uniform(0.35, 1.2) + centre * uniform(0.7, 1.3)
    images = images + uniform(-0.05, 0.05) * torch.ones(3, 1, 1)
    noise = torch.randn(images.shape, generator=generator)
    return (images + uniform(-0.03, 0.04).clamp(min=0) * noise).clamp(0, 1)
