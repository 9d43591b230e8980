"""What the runs of a cohort share: the recipe, the images, the device."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import cast

import torch

from ablate.data import Prepared
from ablate.data.batches import Batch, TrainingBatches, validation_batches
from ablate.metrics import Confusion
from ablate.metrics.confusion import confusion_per_image
from ablate.models import SegmentationModel, Segmenter, Stack
from ablate.spec import Protocol
from ablate.train.devices import Precision
from ablate.train.loss import segmentation_loss


@dataclass(frozen=True)
class CohortSetup:
    """Everything that a training needs besides the model.

    Attributes:
        protocol: The recipe.
        seed: Decides order and jitter of the images.
        prepared: The data.
        train: Indices of the training images.
        validation: Indices of the validation images.
        device: Where the models are.
        precision: What to compute in.
        stacked: Whether the models are small ``Segmenter``s, which are computed together.
    """

    protocol: Protocol
    seed: int
    prepared: Prepared
    train: list[int]
    validation: list[int]
    device: torch.device
    precision: Precision
    stacked: bool = False

    def training_batches(self) -> TrainingBatches:
        """What every run learns from, on the device, in the same order."""
        return TrainingBatches(self.prepared, self.train, self.protocol, self.seed, self.device)

    def validation_batches(self, epoch: int) -> Iterator[Batch]:
        """The validation images after an epoch, on the device, in order."""
        return validation_batches(
            self.prepared, self.validation, self.protocol, self.seed, epoch, self.device
        )

    def autocast(self) -> torch.autocast:
        """While this is open, operations that bear it compute in the setting's precision."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"
        )

    def stack(
        self, models: Sequence[SegmentationModel], images: torch.Tensor
    ) -> list[torch.Tensor]:
        """What small models find in a batch (Bx1xSxS each), all at once."""
        together = self._newest_stack(tuple(cast(Segmenter, model) for model in models))
        with self.autocast():
            return together(images)

    @cached_property
    def _newest_stack(self) -> Callable[[tuple[Segmenter, ...]], Stack]:
        """Who goes together changes only when somebody leaves or joins."""
        return lru_cache(maxsize=1)(Stack)

    def logits(self, models: Sequence[SegmentationModel], batch: Batch) -> list[torch.Tensor]:
        """What models find in validation images (Bx1xSxS each)."""
        for model in models:
            model.eval()
        with torch.inference_mode(), self.autocast():
            if self.stacked:
                return self.stack(models, batch.images)
            return [model(batch.images) for model in models]

    def loss(self, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The protocol's loss."""
        return segmentation_loss(logits, batch.masks, self.protocol.loss)


@dataclass
class ValidationAccumulator:
    """What a validation has found so far.

    Attributes:
        confusions: One for each image.
    """

    confusions: list[Confusion] = field(default_factory=list)
    _loss_sum: float = 0.0

    def add(self, setup: CohortSetup, batch: Batch, logits: torch.Tensor) -> None:
        """Counts a batch."""
        self._loss_sum += setup.loss(logits, batch).item() * len(batch.indices)
        self.confusions += confusion_per_image(logits, batch.masks)

    @property
    def loss(self) -> float:
        """The mean loss, each batch weighted by its images."""
        return self._loss_sum / len(self.confusions)
