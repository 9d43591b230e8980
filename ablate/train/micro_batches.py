"""Fewer images at once than a batch has: the same step in less memory.

Parts of a batch go through the model one after the other, each as an activation checkpoint (Chen et
al., arXiv:1604.06174): its activations are computed once more on the way back, so that those of a
single part are held at a time. Their gradients add up in the parameters. The loss is taken once,
over the logits of the whole batch, since its Dice is a fraction over all pixels of the batch, which
is no mean of the parts' own. So what is optimised is the very same, but for the rounding of sums.

This needs a model that computes each image by itself, which batch normalisation in training does
not (``SegmentationModel.mixes_images``). Random numbers that a model draws in training are drawn
for each part: others, from the same distribution.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ablate.errors import OutOfMemory
from ablate.models import SegmentationModel
from ablate.runs import MicroBatch

Purpose = Literal["training", "evaluation"]
WeightedLogits = list[tuple[float, Tensor]]


class MicroBatches:
    """How many images of a batch one run computes at once, for each purpose.

    Attributes:
        noted: What was found so far, in the order of steps.
    """

    def __init__(self, noted: Sequence[MicroBatch] = ()) -> None:
        """Whole batches, unless something else was found already."""
        self.noted = tuple(noted)

    @classmethod
    def from_plain(cls, noted: Sequence[Any]) -> "MicroBatches":
        """From what ``to_plain`` gave; raises pydantic's ``ValidationError`` for anything else."""
        return cls([MicroBatch.model_validate(each) for each in noted])

    def to_plain(self) -> list[dict[str, Any]]:
        """Plain values, for a checkpoint."""
        return [each.model_dump() for each in self.noted]

    def images(self, purpose: Purpose, batch: int) -> int:
        """How many images at once of a batch with so many."""
        newest = next((each for each in reversed(self.noted) if each.purpose == purpose), None)
        return batch if newest is None else min(newest.images, batch)

    def halve(
        self, purpose: Purpose, batch: int, after_steps: int, model: SegmentationModel
    ) -> None:
        """Takes half as many images at once from now on.

        Args:
            purpose: For what memory was too short.
            batch: Images of the batch that did not fit.
            after_steps: Optimiser steps of the run so far.
            model: The run's.

        Raises:
            OutOfMemory: If that is not possible, or would train another model.
        """
        now = self.images(purpose, batch)
        device = next(model.parameters()).device
        if now == 1:
            raise OutOfMemory(
                f"not even one image at a time fits into the memory of {device}",
                "use a device with more memory, or a smaller image_size_px",
            )
        if purpose == "training" and model.mixes_images:
            raise OutOfMemory(
                f"a batch of {batch} images does not fit into the memory of {device}, and batch "
                "normalisation over a part of them would train another model",
                "use a device with more memory, or a smaller batch_size or image_size_px",
            )
        # Steps that were never taken with the former number leave no note of it.
        earlier = [
            each
            for each in self.noted
            if (each.purpose, each.after_steps) != (purpose, after_steps)
        ]
        found = MicroBatch(purpose=purpose, images=now // 2, batch=batch, after_steps=after_steps)
        self.noted = (*earlier, found)


def weighted_logits_in_parts(
    forward: Callable[[Tensor], WeightedLogits], images: Tensor, at_once: int
) -> WeightedLogits:
    """The terms of a training step's loss, of which one part is held in memory at a time.

    Args:
        forward: Maps images (BxCxHxW) to weights and logits; called twice with each part.
        images: Of the whole batch.
        at_once: Images of a part at most; B or more: there are no parts.
    """
    if at_once >= len(images):
        return forward(images)
    parts: list[WeightedLogits] = [
        checkpoint(forward, part, use_reentrant=False) for part in torch.split(images, at_once)
    ]
    return [
        (term[0][0], torch.cat([logits for _, logits in term])) for term in zip(*parts, strict=True)
    ]


def logits_in_parts(
    forward: Callable[[Tensor], list[Tensor]], images: Tensor, at_once: int
) -> list[Tensor]:
    """The logits of several models without gradients; see ``weighted_logits_in_parts``."""
    if at_once >= len(images):
        return forward(images)
    parts = [forward(part) for part in torch.split(images, at_once)]
    return [torch.cat(logits) for logits in zip(*parts, strict=True)]
