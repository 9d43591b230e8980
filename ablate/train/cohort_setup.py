"""What the runs of a cohort share: the recipe, the images, the device."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from ablate.data import Prepared
from ablate.data.batches import (
    Batch,
    TrainingBatches,
    unaltered_batches,
    validation_batches,
)
from ablate.metrics import Confusion
from ablate.metrics.confusion import confusion_per_image
from ablate.metrics.masks import count_images
from ablate.models import SegmentationModel, forward_together
from ablate.spec import Precision, Protocol
from ablate.train.loss import segmentation_loss
from ablate.train.micro_batches import logits_in_parts
from ablate.train.sharing import SharedDevice


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
        test: Indices of the images that are scored once, at the end; empty where there are none.
        shared: What is told of this cohort to the others that may be on the device.
    """

    protocol: Protocol
    seed: int
    prepared: Prepared
    train: list[int]
    validation: list[int]
    device: torch.device
    precision: Precision
    test: list[int] = field(default_factory=list)
    shared: SharedDevice | None = None

    def training_batches(self) -> TrainingBatches:
        """The batches that every run is trained on, on the device, in the same order."""
        return TrainingBatches(self.prepared, self.train, self.protocol, self.seed, self.device)

    def validation_batches(self, epoch: int) -> Iterator[Batch]:
        """The validation images after an epoch, on the device, in order."""
        return validation_batches(
            self.prepared, self.validation, self.protocol, self.seed, epoch, self.device
        )

    def test_batches(self) -> Iterator[Batch]:
        """The test images, on the device, in order; no epoch and no seed alters them."""
        return unaltered_batches(self.prepared, self.test, self.protocol, self.device)

    def autocast(self) -> torch.autocast:
        """While this is open, operations that tolerate it compute in bfloat16, where that is it."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"
        )

    def logits(
        self, models: Sequence[SegmentationModel], batch: Batch, at_once: int
    ) -> list[torch.Tensor]:
        """Logits of each model for a batch of validation images, Bx1xSxS; so many at once."""
        for model in models:
            model.eval()
        with torch.inference_mode(), self.autocast():
            return logits_in_parts(partial(forward_together, models), batch.images, at_once)

    def loss(self, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The protocol's loss."""
        return segmentation_loss(logits, batch.masks, self.protocol.loss)


@dataclass
class ValidationAccumulator:
    """Confusions and loss of one run over the validation images so far.

    Attributes:
        confusions: One for each image.
        is_final: Whether to count what the task declares besides pixels, which takes time, and is
            of no use before the weights are those that are kept.
    """

    confusions: list[Confusion] = field(default_factory=list)
    is_final: bool = False
    _loss_sum: float = 0.0

    def add(self, setup: CohortSetup, batch: Batch, logits: torch.Tensor) -> None:
        """Counts a batch.

        Args:
            setup: Its protocol has the loss and the threshold.
            batch: B images and their masks.
            logits: Of these images, Bx1xSxS.
        """
        self._loss_sum += setup.loss(logits, batch).item() * len(batch.indices)
        threshold = setup.protocol.task.threshold
        self.confusions += (
            count_images(logits, batch.masks, setup.protocol.task)
            if self.is_final
            else confusion_per_image(logits, batch.masks, threshold)
        )

    @property
    def loss(self) -> float:
        """The mean loss, each batch weighted by its images."""
        return self._loss_sum / len(self.confusions)
