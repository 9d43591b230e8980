"""Batches for training and validation. Imports torch.

What is read is uint8; the device receives that and converts it itself.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from ablate.data import jitter
from ablate.data.prefetch import prefetched
from ablate.data.prepared import Prepared
from ablate.spec import Protocol

# The purposes of an epoch's random numbers.
_ORDER, _JITTER, _VALIDATION_JITTER = 0, 1, 2
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Batch:
    """The input of one step, on its device; B may be smaller in the last batch.

    Attributes:
        images: Shape Bx3xSxS, float32, normalised by the protocol's mean and std.
        masks: Shape Bx1xSxS, float32, 1 for positive, else 0.
        indices: Positions in the prepared data set, B of them.
    """

    images: torch.Tensor
    masks: torch.Tensor
    indices: list[int]


@dataclass(frozen=True)
class Pixels:
    """A batch as it is stored, in the CPU's memory.

    Attributes:
        images: Shape BxSxSx3, uint8.
        masks: Shape BxSxS, uint8.
        indices: Positions in the prepared data set, B of them.
    """

    images: torch.Tensor
    masks: torch.Tensor
    indices: list[int]


class ToDevice:
    """Turns pixels into a batch on a device: conversion, jitter, normalisation.

    Args:
        protocol: Mean and std.
        jitters: The jitter of each image of the data set; None: no jitter.
        device: Where to compute.
    """

    def __init__(
        self, protocol: Protocol, jitters: Sequence[jitter.Steps] | None, device: torch.device
    ) -> None:
        """Copies mean and std to the device, once: each transfer makes it wait."""
        self._jitters = jitters
        self._device = device
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=device).view(3, 1, 1)
            for values in (protocol.mean, protocol.std)
        )

    def __call__(self, pixels: Pixels) -> Batch:
        """The batch; on a CUDA device, it is ready for all that is started after this."""
        # From page-locked memory the copy is asynchronous.
        queued = self._device.type == "cuda"
        images = pixels.images.to(self._device, non_blocking=queued).permute(0, 3, 1, 2)
        images = images.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
        if self._jitters is not None:
            for image, index in zip(images, pixels.indices, strict=True):
                image.copy_(jitter.apply(image, self._jitters[index]))
        masks = pixels.masks.to(self._device, non_blocking=queued).unsqueeze(1).to(torch.float32)
        return Batch(images.sub_(self._mean).div_(self._std), masks, pixels.indices)


class TrainingBatches:
    """Shuffled, jittered batches, decided by numbers that are known before the run begins.

    The order of an epoch depends on seed and epoch alone, the jitter of an image on seed, epoch
    and image alone, and no global generator is read or moved: every variant of a cohort sees the
    same batches, and a resumed run goes on with those that it would have seen.

    Attributes:
        steps_per_epoch: How many batches an epoch has.

    Args:
        prepared: The data set.
        indices: The training images.
        protocol: Batch size, jitter, mean and std.
        seed: The run's seed.
        device: Where the batches are used.
    """

    def __init__(
        self,
        prepared: Prepared,
        indices: Sequence[int],
        protocol: Protocol,
        seed: int,
        device: torch.device = _CPU,
    ) -> None:
        """Reads no image yet."""
        self._prepared = prepared
        self._indices = np.array(indices)
        self._protocol = protocol
        self._seed = seed
        self._device = device
        self.steps_per_epoch = math.ceil(len(indices) / protocol.batch_size)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, the last one perhaps smaller.

        Args:
            epoch: Decides order and jitter.
            start_step: How many batches to omit at the beginning.
        """
        random = _random(self._seed, epoch, _ORDER)
        order = random.permutation(self._indices).tolist()
        jitters = _jitters(self._prepared, self._protocol, self._seed, epoch, _JITTER)
        chosen = _chunks(order, self._protocol.batch_size)[start_step:]
        to_device = ToDevice(self._protocol, jitters, self._device)
        return _batches(self._prepared, chosen, to_device, self._device)


def validation_batches(
    prepared: Prepared,
    indices: Sequence[int],
    protocol: Protocol,
    seed: int,
    epoch: int,
    device: torch.device = _CPU,
) -> Iterator[Batch]:
    """Batches in the order of ``indices``, the last one perhaps smaller.

    Args:
        prepared: The data set.
        indices: The validation images.
        protocol: Batch size, mean and std; whether validation images are jittered.
        seed: The run's seed; with the epoch it decides that jitter.
        epoch: The epoch that is validated.
        device: Where the batches are used.
    """
    jittered = protocol.color_jitter is not None and protocol.color_jitter.images == "all"
    purpose = _VALIDATION_JITTER
    jitters = _jitters(prepared, protocol, seed, epoch, purpose) if jittered else None
    chosen = _chunks(indices, protocol.batch_size)
    return _batches(prepared, chosen, ToDevice(protocol, jitters, device), device)


def unaltered_batches(
    prepared: Prepared, indices: Sequence[int], protocol: Protocol, device: torch.device = _CPU
) -> Iterator[Batch]:
    """Batches in the order of ``indices``, the last one perhaps smaller, never jittered.

    Args:
        prepared: The data set.
        indices: The test images.
        protocol: Batch size, mean and std.
        device: Where the batches are used.
    """
    to_device = ToDevice(protocol, None, device)
    return _batches(prepared, _chunks(indices, protocol.batch_size), to_device, device)


def read(prepared: Prepared, chosen: list[int], *, pinned: bool = False) -> Pixels:
    """Copies images and masks out of the memory map.

    Args:
        prepared: The data set.
        chosen: Indices of the images, B of them.
        pinned: Into page-locked memory, from which copies to a CUDA device are asynchronous.
    """
    images, masks = (
        torch.empty((len(chosen), *kept.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
        for kept in (prepared.images, prepared.masks)
    )
    # Row by row into the tensor, without the copy that indexing with a list would make.
    for kept, into in ((prepared.images, images.numpy()), (prepared.masks, masks.numpy())):
        for index, row in zip(chosen, into, strict=True):
            row[...] = kept[index]
    return Pixels(images, masks, chosen)


def _random(seed: int, *purpose: int) -> np.random.RandomState:
    """A generator for one purpose.

    Only NumPy's legacy generator promises the same stream in every version.
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


def _chunks(indices: Sequence[int], size: int) -> list[list[int]]:
    return [list(indices[start : start + size]) for start in range(0, len(indices), size)]


def _batches(
    prepared: Prepared, chosen: Sequence[list[int]], to_device: ToDevice, device: torch.device
) -> Iterator[Batch]:
    """Batches on the device; while it computes, the next one's pixels are read.

    On a CPU a second thread would take a core from the computation.
    """
    reading = (read(prepared, indices, pinned=device.type == "cuda") for indices in chosen)
    with closing(reading if device.type == "cpu" else prefetched(reading)) as ready:
        for pixels in ready:
            yield to_device(pixels)
