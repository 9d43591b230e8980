"""The training loop."""

import math
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from ablate.data import Prepared
from ablate.data.batches import Batch, TrainingBatches, validation_batches
from ablate.errors import Diverged, Interrupted
from ablate.metrics import Confusion, scores
from ablate.metrics.confusion import confusion_per_image
from ablate.models import TrainableModel
from ablate.runs import Event, Progress, RunFolder
from ablate.spec import RunSpec
from ablate.train.devices import Precision
from ablate.train.loss import segmentation_loss
from ablate.train.state import Best, TrainingState
from ablate.train.stop import Stop

_PROGRESS_EVERY_S = 0.3
# Saving may take this share of the time: a rival's checkpoint is a thousand times SAM-nano's.
_SAVING_SHARE = 0.1


class Engine:
    """Trains one run from wherever its folder says it stopped.

    Attributes:
        state: Model, optimiser, schedule and counters.
        protocol: The recipe.

    Args:
        folder: Where events, checkpoints and progress go.
        spec: The run.
        model: Frozen and adapted, on its device.
        prepared: The data.
        train: Indices of the training images.
        validation: Indices of the validation images.
        precision: What to compute in.
        stop: Looked at after every step.
    """

    def __init__(
        self,
        folder: RunFolder,
        spec: RunSpec,
        model: TrainableModel,
        prepared: Prepared,
        train: list[int],
        validation: list[int],
        precision: Precision,
        stop: Stop,
    ) -> None:
        """Builds optimiser and schedule, and loads the newest checkpoint."""
        self._folder = folder
        self.protocol = spec.context.protocol
        self._prepared = prepared
        self._validation = validation
        self._precision = precision
        self._stop = stop
        self._device = next(model.parameters()).device
        self._seed = spec.seed
        self._batches = TrainingBatches(prepared, train, self.protocol, spec.seed)
        self._last_progress = 0.0
        self._next_save = 0.0
        torch.manual_seed(spec.seed)
        self.state = TrainingState(model, self.protocol)
        if checkpoint := folder.load_checkpoint():
            self.state.load(checkpoint)
        folder.cut_events(self.state.epoch - 1)

    def train(self) -> None:
        """Trains to the last epoch.

        Raises:
            Diverged: If the loss is no longer finite.
            Interrupted: If a stop was asked for; the state is saved.
        """
        while self.state.epoch <= self.protocol.epochs:
            self._train_epoch()
            self._end_epoch()

    def validate(self, epoch: int) -> tuple[float, list[Confusion]]:
        """The model as it is on the validation images.

        Args:
            epoch: The epoch whose weights the model has.

        Returns:
            The mean loss, each batch weighted by its images, and each image's confusion.
        """
        loss_sum = 0.0
        confusions: list[Confusion] = []
        for batch, logits in self._evaluated(self._validation, epoch):
            masks = batch.masks.to(self._device)
            loss = segmentation_loss(logits, masks, self.protocol.loss)
            loss_sum += loss.item() * len(batch.indices)
            confusions += confusion_per_image(logits, masks)
        return loss_sum / len(self._validation), confusions

    def predictions(
        self, indices: list[int], epoch: int
    ) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
        """What the model as it is finds in some validation images: index and mask (SxS)."""
        for batch, logits in self._evaluated(indices, epoch):
            yield from zip(batch.indices, (logits > 0).cpu().numpy()[:, 0], strict=True)

    def _evaluated(self, indices: list[int], epoch: int) -> Iterator[tuple[Batch, torch.Tensor]]:
        """Batches of validation images and their logits (Bx1xSxS)."""
        self.state.model.eval()
        for batch in validation_batches(self._prepared, indices, self.protocol, self._seed, epoch):
            with torch.inference_mode(), self._autocast():
                logits = self.state.model(batch.images.to(self._device))
            yield batch, logits

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._precision == "bfloat16"
        )

    def _loss(self, batch: Batch) -> torch.Tensor:
        """The loss of a training step, over all that the model is asked to learn from."""
        images, masks = batch.images.to(self._device), batch.masks.to(self._device)
        with self._autocast():
            weighted = self.state.model.weighted_logits(images)
        losses = [
            weight * segmentation_loss(logits, masks, self.protocol.loss)
            for weight, logits in weighted
        ]
        return torch.stack(losses).sum()

    def _train_epoch(self) -> None:
        state = self.state
        state.model.train()
        started = time.monotonic()
        spent_before_s = state.elapsed_s
        for batch in self._batches.epoch(state.epoch, state.step_in_epoch):
            state.optimizer.zero_grad(set_to_none=True)
            loss = self._loss(batch)
            value = loss.item()
            if not math.isfinite(value):
                raise Diverged(
                    f"the training loss is {value} in epoch {state.epoch}, "
                    f"step {state.step_in_epoch + 1}"
                )
            loss.backward()  # type: ignore[no-untyped-call]
            state.optimizer.step()
            state.step_in_epoch += 1
            state.step += 1
            state.loss_sum += value * len(batch.indices)
            state.elapsed_s = spent_before_s + time.monotonic() - started
            self._say_progress(value)
            if self._stop.requested:
                self._save()
                raise Interrupted(f"stopped in epoch {state.epoch} after step {state.step}")

    def _end_epoch(self) -> None:
        """Validates, keeps the weights if they are the best, tells the event, saves where due."""
        state, started = self.state, time.monotonic()
        epoch = state.epoch
        val_loss, confusions = self.validate(epoch)
        if not math.isfinite(val_loss):
            raise Diverged(f"the validation loss is {val_loss} after epoch {epoch}")
        metrics = {
            "train_loss": state.loss_sum / self._batches.images,
            "val_loss": val_loss,
            "lr": float(state.schedule.get_last_lr()[0]),
            **scores(sum(confusions, Confusion.none())),
        }
        if (
            self.protocol.selection == "last"
            or state.best is None
            or val_loss < state.best.val_loss
        ):
            state.best = Best(epoch, val_loss, state.model.trainable_state())
        state.schedule.step()
        state.epoch += 1
        state.step_in_epoch = 0
        state.loss_sum = 0.0
        state.elapsed_s += time.monotonic() - started
        # The event first: a kill in between makes the resumed run cut it and tell it again.
        self._folder.append_event(
            Event(epoch=epoch, step=state.step, time=time.time(), metrics=metrics)
        )
        if time.monotonic() >= self._next_save:
            self._save()

    def _save(self) -> None:
        started = time.monotonic()
        self._folder.save_checkpoint(self.state.step, self.state.to_bytes())
        saved = time.monotonic()
        self._next_save = saved + (saved - started) / _SAVING_SHARE

    def _say_progress(self, loss: float) -> None:
        now = time.monotonic()
        if now - self._last_progress < _PROGRESS_EVERY_S:
            return
        self._last_progress = now
        self._folder.write_progress(
            Progress(
                epoch=self.state.epoch,
                epochs=self.protocol.epochs,
                step_in_epoch=self.state.step_in_epoch,
                steps_per_epoch=self._batches.steps_per_epoch,
                loss=loss,
                time=time.time(),
            )
        )
