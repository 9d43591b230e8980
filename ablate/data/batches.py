"""Batches for training and validation. Imports torch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms.v2 import functional

from ablate.data import jitter
from ablate.data.prepared import Prepared
from ablate.spec import Protocol

# What the random numbers of an epoch are for.
_ORDER, _JITTER = 0, 1


@dataclass(frozen=True)
class Batch:
    """What one step sees; B may be smaller in the last batch.

    Attributes:
        images: Shape Bx3xSxS, float32, normalised by the protocol's mean and std.
        masks: Shape Bx1xSxS, float32, 1 for landslide, else 0.
        indices: Positions in the prepared data set, B of them.
    """

    images: torch.Tensor
    masks: torch.Tensor
    indices: list[int]


class TrainingBatches:
    """Shuffled, jittered batches, decided by numbers that are known before the run begins.

    The order of an epoch depends on seed and epoch alone, the jitter of an image on seed, epoch
    and image alone, and no global generator is read or moved: every variant of a cohort sees the
    same batches, and a resumed run goes on with those that it would have seen.

    Attributes:
        images: How many images an epoch has.
        steps_per_epoch: How many batches.

    Args:
        prepared: The data set.
        indices: Which of its images train.
        protocol: Batch size, jitter, mean and std.
        seed: The run's seed.
    """

    def __init__(
        self, prepared: Prepared, indices: Sequence[int], protocol: Protocol, seed: int
    ) -> None:
        """Reads no image yet."""
        self._prepared = prepared
        self._indices = np.array(indices)
        self._protocol = protocol
        self._seed = seed
        self.images = len(indices)
        self.steps_per_epoch = math.ceil(self.images / protocol.batch_size)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, the last one perhaps smaller.

        Args:
            epoch: Decides order and jitter.
            start_step: How many batches to leave out at the beginning.
        """
        order = self._random(epoch, _ORDER).permutation(self._indices).tolist()
        # One row for each image of the data set: its numbers depend on its index alone.
        shape = (len(self._prepared.names), jitter.NUMBERS)
        numbers = self._random(epoch, _JITTER).random_sample(shape).tolist()
        ranges, size = self._protocol.color_jitter, self._protocol.batch_size
        for start in range(start_step * size, len(order), size):
            chosen = order[start : start + size]
            images = _pixels(self._prepared, chosen)
            if ranges is not None:
                for image, index in zip(images, chosen, strict=True):
                    image.copy_(jitter.apply(image, jitter.choose(ranges, numbers[index])))
            yield _batch(self._prepared, chosen, images, self._protocol)

    def _random(self, *purpose: int) -> np.random.RandomState:
        """A generator for one purpose.

        Of NumPy's generators, the legacy one alone promises the same stream in every version.
        """
        seeds = np.random.SeedSequence(self._seed, spawn_key=purpose)
        return np.random.RandomState(np.random.MT19937(seeds))


def validation_batches(
    prepared: Prepared, indices: Sequence[int], protocol: Protocol
) -> Iterator[Batch]:
    """Batches in the order of ``indices``, without jitter, the last one perhaps smaller.

    Args:
        prepared: The data set.
        indices: Which of its images validate.
        protocol: Batch size, mean and std.
    """
    for start in range(0, len(indices), protocol.batch_size):
        chosen = list(indices[start : start + protocol.batch_size])
        yield _batch(prepared, chosen, _pixels(prepared, chosen), protocol)


def _pixels(prepared: Prepared, chosen: list[int]) -> torch.Tensor:
    """Images with shape Bx3xSxS, float32 in 0..1."""
    pixels = torch.from_numpy(np.asarray(prepared.images[chosen]))
    return pixels.permute(0, 3, 1, 2).contiguous().to(torch.float32).div_(255)


def _batch(
    prepared: Prepared, chosen: list[int], images: torch.Tensor, protocol: Protocol
) -> Batch:
    """A batch of ``images`` (Bx3xSxS in 0..1), which are normalised in place."""
    masks = torch.from_numpy(np.asarray(prepared.masks[chosen])).unsqueeze(1).to(torch.float32)
    normalised = functional.normalize(images, list(protocol.mean), list(protocol.std), inplace=True)
    return Batch(normalised, masks, chosen)
