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
_ORDER, _JITTER, _VALIDATION_JITTER = 0, 1, 2


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
        random = _random(self._seed, epoch, _ORDER)
        order = random.permutation(self._indices).tolist()
        jitters = _jitters(self._prepared, self._protocol, self._seed, epoch, _JITTER)
        size = self._protocol.batch_size
        for start in range(start_step * size, len(order), size):
            yield _batch(self._prepared, order[start : start + size], jitters, self._protocol)


def validation_batches(
    prepared: Prepared, indices: Sequence[int], protocol: Protocol, seed: int, epoch: int
) -> Iterator[Batch]:
    """Batches in the order of ``indices``, the last one perhaps smaller.

    Args:
        prepared: The data set.
        indices: Which of its images validate.
        protocol: Batch size, mean and std; whether validation images are jittered.
        seed: The run's seed; with the epoch it decides that jitter.
        epoch: The epoch that is validated.
    """
    jittered = protocol.color_jitter is not None and protocol.color_jitter.images == "all"
    purpose = _VALIDATION_JITTER
    jitters = _jitters(prepared, protocol, seed, epoch, purpose) if jittered else None
    for start in range(0, len(indices), protocol.batch_size):
        chosen = list(indices[start : start + protocol.batch_size])
        yield _batch(prepared, chosen, jitters, protocol)


def _random(seed: int, *purpose: int) -> np.random.RandomState:
    """A generator for one purpose.

    Of NumPy's generators, the legacy one alone promises the same stream in every version.
    """
    seeds = np.random.SeedSequence(seed, spawn_key=purpose)
    return np.random.RandomState(np.random.MT19937(seeds))


def _jitters(
    prepared: Prepared, protocol: Protocol, seed: int, *purpose: int
) -> list[jitter.Steps] | None:
    """The jitter of each image of the data set, which depends on its index alone."""
    if protocol.color_jitter is None:
        return None
    shape = (len(prepared.names), jitter.NUMBERS)
    numbers = _random(seed, *purpose).random_sample(shape).tolist()
    return [jitter.choose(protocol.color_jitter, row) for row in numbers]


def _pixels(prepared: Prepared, chosen: list[int]) -> torch.Tensor:
    """Images with shape Bx3xSxS, float32 in 0..1."""
    pixels = torch.from_numpy(np.asarray(prepared.images[chosen]))
    return pixels.permute(0, 3, 1, 2).contiguous().to(torch.float32).div_(255)


def _batch(
    prepared: Prepared,
    chosen: list[int],
    jitters: list[jitter.Steps] | None,
    protocol: Protocol,
) -> Batch:
    images = _pixels(prepared, chosen)
    if jitters is not None:
        for image, index in zip(images, chosen, strict=True):
            image.copy_(jitter.apply(image, jitters[index]))
    masks = torch.from_numpy(np.asarray(prepared.masks[chosen])).unsqueeze(1).to(torch.float32)
    normalised = functional.normalize(images, list(protocol.mean), list(protocol.std), inplace=True)
    return Batch(normalised, masks, chosen)
