"""One run of a cohort: its state, and everything that it writes while it is trained."""

import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ablate.data.batches import Batch
from ablate.errors import Diverged, Interrupted, StoreError
from ablate.metrics import Confusion, scores
from ablate.models import SegmentationModel
from ablate.runs import Event, Progress, RunFolder
from ablate.train.cohort_setup import CohortSetup, ValidationAccumulator
from ablate.train.micro_batches import Purpose
from ablate.train.results import write_failure
from ablate.train.sharing import give_way
from ablate.train.state import Best, TrainingState, UnusableCheckpoint

_PROGRESS_EVERY_S = 0.3
# Saving may take this share of the time: a CNN's checkpoint is a thousand times SAM-nano's.
_SAVING_SHARE = 0.1


class TrainingRun:
    """A run in training, from the newest checkpoint in its folder.

    Attributes:
        folder: Where events, checkpoints, progress and failures go.
        state: Model, optimiser, schedule and counters.
        failed: Whether it has left the cohort.

    Args:
        folder: The run's folder.
        model: Frozen and adapted, on its device.
        setup: What it shares with the others.
    """

    def __init__(self, folder: RunFolder, model: SegmentationModel, setup: CohortSetup) -> None:
        """Builds optimiser and schedule, and loads the newest checkpoint."""
        self.folder = folder
        self.state = TrainingState(model, setup.protocol, setup.seed)
        self._setup = setup
        self._resume()
        self.failed = False
        self._saved = self.position
        self._next_save_s = 0.0
        self._last_progress = 0.0

    def _resume(self) -> None:
        """Goes on from the newest checkpoint that fits to the run and to its events.

        Whatever is damaged is passed over; at worst the run starts from the beginning.
        """
        protocol = self._setup.protocol
        steps = math.ceil(len(self._setup.train) / protocol.batch_size)
        for content in self.folder.load_checkpoints():
            with suppress(UnusableCheckpoint, StoreError):
                saved = self.state.read(content, epochs=protocol.epochs, steps_per_epoch=steps)
                # Checkpoints of older versions do not know their events.
                self.folder.cut_events(saved["epoch"] - 1, saved.get("events"))
                self.state.restore(saved)
                return
        self.folder.start_over()

    @property
    def position(self) -> tuple[int, int]:
        """The epoch under way and the steps of it that are done."""
        return self.state.epoch, self.state.step_in_epoch

    @property
    def unfinished(self) -> bool:
        """Whether epochs are left to train and the run has not failed."""
        return not self.failed and self.state.epoch <= self._setup.protocol.epochs

    def model_in_training(self) -> SegmentationModel:
        """The model, in training mode."""
        model = self.state.model
        # Called in every step, and setting the mode takes a millisecond.
        return model if model.training else model.train()

    def images_at_once(self, purpose: Purpose, batch: Batch) -> int:
        """How many images of a batch are computed at once."""
        return self.state.micro_batches.images(purpose, len(batch.indices))

    def halve_images_at_once(self, purpose: Purpose, batch: Batch) -> None:
        """Computes half as many images at once from now on, after this batch was too large.

        Raises:
            OutOfMemory: If that is not possible.
        """
        state = self.state
        state.micro_batches.halve(purpose, len(batch.indices), state.step, state.model)

    def fail(self, error: Exception) -> None:
        """Leaves the cohort, and writes the cause to the folder."""
        self.failed = True
        write_failure(self.folder, error)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Every exception in here becomes this run's failure.

        Raises:
            Interrupted: If a stop was requested.
            OutOfSharedMemory: If memory is short beside other cohorts.
        """
        try:
            yield
        except Interrupted:
            raise
        except Exception as error:
            # What is half done is no state to save: it goes on from the newest checkpoint.
            self.failed = True
            give_way(self._setup.shared, error)
            self.fail(error)

    def step(self, loss: float, images: int) -> None:
        """Moves the parameters along their gradients.

        Args:
            loss: What the gradients are of.
            images: How many the batch had.

        Raises:
            Diverged: If the loss is not finite.
        """
        state = self.state
        if not math.isfinite(loss):
            raise Diverged(
                f"the training loss is {loss} in epoch {state.epoch}, "
                f"step {state.step_in_epoch + 1}"
            )
        state.optimizer.step()
        state.step_in_epoch += 1
        state.step += 1
        state.loss_sum += loss * images

    def end_epoch(self, validated: ValidationAccumulator) -> None:
        """Keeps the weights if they are the best, appends the event, saves where due.

        Raises:
            Diverged: If the validation loss is not finite.
        """
        state = self.state
        epoch, val_loss = state.epoch, validated.loss
        if not math.isfinite(val_loss):
            raise Diverged(f"the validation loss is {val_loss} after epoch {epoch}")
        metrics = {
            "train_loss": state.loss_sum / len(self._setup.train),
            "val_loss": val_loss,
            "lr": float(state.schedule.get_last_lr()[0]),
            **scores(sum(validated.confusions, Confusion.none())),
        }
        if (
            self._setup.protocol.selection == "last"
            or state.best is None
            or val_loss < state.best.val_loss
        ):
            state.best = Best(epoch, val_loss, state.model.trainable_state())
        with warnings.catch_warnings():
            # A process that resumes behind the epoch's last step has not stepped the optimiser.
            warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step")
            state.schedule.step()
        state.epoch += 1
        state.step_in_epoch = 0
        state.loss_sum = 0.0
        # The event first: after a kill in between, the resumed run cuts it and appends it again.
        self.folder.append_event(
            Event(epoch=epoch, step=state.step, time=time.time(), metrics=metrics)
        )
        if state.train_s >= self._next_save_s:
            self.save()

    def save(self) -> None:
        """Writes a checkpoint, unless the newest is of this very position."""
        if self._saved == self.position:
            return
        started = time.monotonic()
        self.folder.save_checkpoint(
            self.state.step, self.state.to_bytes(self.folder.events_sha256())
        )
        self._saved = self.position
        # On the run's own clock: others of the cohort save in the meantime.
        self._next_save_s = self.state.train_s + (time.monotonic() - started) / _SAVING_SHARE

    def report_progress(self, loss: float, steps_per_epoch: int) -> None:
        """Writes how far the run is, for displays, unless it was written just before."""
        now = time.monotonic()
        if now - self._last_progress < _PROGRESS_EVERY_S:
            return
        self._last_progress = now
        self.folder.write_progress(
            Progress(
                epoch=self.state.epoch,
                epochs=self._setup.protocol.epochs,
                step_in_epoch=self.state.step_in_epoch,
                steps_per_epoch=steps_per_epoch,
                loss=loss,
                time=time.time(),
            )
        )
