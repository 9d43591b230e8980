"""What the runs of a cohort share: the recipe, the images, the device."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from ablate.data import Prepared
from ablate.data.batches import Batch, TrainingBatches, validation_batches
from ablate.metrics import Confusion
from ablate.metrics.confusion import confusion_per_image
from ablate.models import TrainableModel
from ablate.spec import Protocol
from ablate.train.devices import Precision
from ablate.train.loss import segmentation_loss


@dataclass(frozen=True)
class Setting:
    """Everything that a training needs besides the model.

    Attributes:
        protocol: The recipe.
        seed: Decides order and jitter of the images.
        prepared: The data.
        train: Indices of the training images.
        validation: Indices of the validation images.
        device: Where the models are.
        precision: What to compute in.
    """

    protocol: Protocol
    seed: int
    prepared: Prepared
    train: list[int]
    validation: list[int]
    device: torch.device
    precision: Precision

    def training_batches(self) -> TrainingBatches:
        """What every run learns from, in the same order."""
        return TrainingBatches(self.prepared, self.train, self.protocol, self.seed)

    def validation_batches(self, epoch: int) -> Iterator[Batch]:
        """The validation images after an epoch, on the device, in order."""
        batches = validation_batches(
            self.prepared, self.validation, self.protocol, self.seed, epoch
        )
        return (self.moved(batch) for batch in batches)

    def moved(self, batch: Batch) -> Batch:
        """The batch on the device."""
        return Batch(batch.images.to(self.device), batch.masks.to(self.device), batch.indices)

    def autocast(self) -> torch.autocast:
        """While this is open, operations that bear it compute in the setting's precision."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"
        )

    def logits(self, model: TrainableModel, batch: Batch) -> torch.Tensor:
        """What the model finds in validation images (Bx1xSxS)."""
        model.eval()
        with torch.inference_mode(), self.autocast():
            logits: torch.Tensor = model(batch.images)
        return logits

    def loss(self, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The protocol's loss."""
        return segmentation_loss(logits, batch.masks, self.protocol.loss)


@dataclass
class Tally:
    """What a validation has found so far.

    Attributes:
        confusions: One for each image.
    """

    confusions: list[Confusion] = field(default_factory=list)
    _loss_sum: float = 0.0

    def add(self, setting: Setting, batch: Batch, logits: torch.Tensor) -> None:
        """Counts a batch."""
        self._loss_sum += setting.loss(logits, batch).item() * len(batch.indices)
        self.confusions += confusion_per_image(logits, batch.masks)

    @property
    def loss(self) -> float:
        """The mean loss, each batch weighted by its images."""
        return self._loss_sum / len(self.confusions)
