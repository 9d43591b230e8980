"""The state of a training from one step to the next, and its checkpoint."""

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import ValidationError

from ablate.models import SegmentationModel
from ablate.spec import Protocol
from ablate.train.micro_batches import MicroBatches

Tensors = dict[str, torch.Tensor]


class UnusableCheckpoint(Exception):
    """No training of this run can have written the checkpoint."""


@dataclass
class Best:
    """The epoch whose weights are kept.

    Attributes:
        epoch: Counted from 1.
        val_loss: Its mean loss over the validation images.
        trained: Its trained parameters.
    """

    epoch: int
    val_loss: float
    trained: Tensors


class TrainingState:
    """Model, optimiser, schedule and counters of one run.

    Attributes:
        epoch: The epoch under way, counted from 1; epochs + 1 after the last.
        step_in_epoch: Steps of it that are done.
        step: Steps of the whole run that are done.
        loss_sum: Sum of the epoch's training losses, each times its number of images.
        train_s: Seconds spent so far, over all resumptions.
        best: The epoch whose weights are kept; None before the first validation.
        micro_batches: How many images are computed at once.
    """

    def __init__(self, model: SegmentationModel, protocol: Protocol, seed: int) -> None:
        """The state before the first step.

        Args:
            model: Frozen as it is to be trained.
            protocol: The recipe.
            seed: Starts the random numbers that the model draws while it is trained.
        """
        self.model = model
        self._device = next(model.parameters()).device
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained,
            lr=protocol.optimizer.lr,
            weight_decay=protocol.optimizer.weight_decay,
            # One pass over each parameter instead of a dozen.
            fused=True,
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, T_max=protocol.epochs, eta_min=protocol.schedule.lr_min
        )
        self.epoch = 1
        self.step_in_epoch = 0
        self.step = 0
        self.loss_sum = 0.0
        self.train_s = 0.0
        self.best: Best | None = None
        self.micro_batches = MicroBatches()
        with self._forked():
            torch.manual_seed(seed)
            self._keep_rng()

    @contextmanager
    def randomness(self) -> Iterator[None]:
        """While this is open, torch's generators continue this run's own random numbers."""
        with self._forked():
            torch.set_rng_state(self._rng)
            if self._device_rng is not None:
                torch.cuda.set_rng_state(self._device_rng, self._device)
            yield
            self._keep_rng()

    def _forked(self) -> AbstractContextManager[None]:
        """Restores the state of the generators afterwards."""
        devices = [self._device] if self._device.type == "cuda" else []
        forked: AbstractContextManager[None] = torch.random.fork_rng(devices)
        return forked

    def _keep_rng(self) -> None:
        """Remembers the generators' states; dropout draws from the accelerator's own."""
        self._rng = torch.get_rng_state()
        on_cuda = self._device.type == "cuda"
        self._device_rng = torch.cuda.get_rng_state(self._device) if on_cuda else None

    def to_bytes(self, events: str) -> bytes:
        """The whole state as one checkpoint.

        Args:
            events: The SHA-256 of the events so far.
        """
        best = self.best and {
            "epoch": self.best.epoch,
            "val_loss": self.best.val_loss,
            "trained": self.best.trained,
        }
        buffer = io.BytesIO()
        torch.save(
            {
                "epoch": self.epoch,
                "step_in_epoch": self.step_in_epoch,
                "step": self.step,
                "loss_sum": self.loss_sum,
                "train_s": self.train_s,
                "best": best,
                "trained": self.model.trainable_state(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "rng": self._rng,
                "device_rng": self._device_rng,
                "micro_batches": self.micro_batches.to_plain(),
                "events": events,
            },
            buffer,
        )
        return buffer.getvalue()

    def read(self, content: bytes, *, epochs: int, steps_per_epoch: int) -> dict[str, Any]:
        """What ``to_bytes`` wrote; only tensors and plain values are loaded.

        Args:
            content: The checkpoint.
            epochs: How many the run has.
            steps_per_epoch: How many steps each of them has.

        Raises:
            UnusableCheckpoint: If no training of this run can have written it.
        """
        saved = _loaded(content)
        try:
            _check_counters(saved, epochs, steps_per_epoch)
            MicroBatches.from_plain(saved.get("micro_batches", []))
            _check_values(saved, self.model.trainable_state(), self.optimizer.state_dict())
        except (LookupError, TypeError, AttributeError, ValidationError) as error:
            raise UnusableCheckpoint(f"it lacks a part ({error!r})") from error
        return saved

    def restore(self, saved: dict[str, Any]) -> None:
        """Takes over what ``read`` has returned."""
        self.epoch = saved["epoch"]
        self.step_in_epoch = saved["step_in_epoch"]
        self.step = saved["step"]
        self.loss_sum = saved["loss_sum"]
        self.train_s = saved["train_s"]
        self.best = Best(**saved["best"]) if saved["best"] else None
        self.model.load_trainable_state(saved["trained"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        # Checkpoints of older versions have none.
        self.micro_batches = MicroBatches.from_plain(saved.get("micro_batches", []))
        self._rng = saved["rng"]
        # None where the run was on another kind of device until now.
        if saved["device_rng"] is not None:
            self._device_rng = saved["device_rng"]


def _loaded(content: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # torch compresses nothing: what is compressed may unpack to any size.
            if sum(entry.file_size for entry in archive.infolist()) > len(content):
                raise ValueError("it unpacks to more bytes than it has")
        saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    # Whatever torch finds wrong with it: it has no exception of its own for this.
    except Exception as error:
        raise UnusableCheckpoint(f"it cannot be read ({error!r})") from error
    if not isinstance(saved, dict):
        raise UnusableCheckpoint("it is no dictionary")
    return saved


def _check_counters(saved: dict[str, Any], epochs: int, steps_per_epoch: int) -> None:
    """Refuses counters that no training of this run reaches."""
    epoch, step_in_epoch, best = saved["epoch"], saved["step_in_epoch"], saved["best"]
    counters = (epoch, step_in_epoch, saved["step"])
    if not all(type(counter) is int for counter in counters):
        raise UnusableCheckpoint(f"its counters are {counters}")
    most = steps_per_epoch if epoch <= epochs else 0
    if not (1 <= epoch <= epochs + 1 and 0 <= step_in_epoch <= most):
        raise UnusableCheckpoint(
            f"it is at step {step_in_epoch} of epoch {epoch}, of {epochs} epochs with "
            f"{steps_per_epoch} steps"
        )
    if saved["step"] != (epoch - 1) * steps_per_epoch + step_in_epoch:
        raise UnusableCheckpoint(f"it is at step {saved['step']} in epoch {epoch}")
    if saved["schedule"]["last_epoch"] != epoch - 1:
        raise UnusableCheckpoint("its schedule is at another epoch")
    if (best is None) != (epoch == 1) or (best and not 1 <= best["epoch"] < epoch):
        raise UnusableCheckpoint(f"its best epoch is none of those before epoch {epoch}")
    if not all(0 <= saved[name] < math.inf for name in ("loss_sum", "train_s")):
        raise UnusableCheckpoint("its sums are no finite numbers")


def _check_values(saved: dict[str, Any], trained: Tensors, optimizer: dict[str, Any]) -> None:
    """Refuses tensors of another model, and an optimiser of other parameters."""
    wanted = {name: value.shape for name, value in trained.items()}
    for state in (saved["trained"], *([saved["best"]["trained"]] if saved["best"] else [])):
        if {name: value.shape for name, value in state.items()} != wanted:
            raise UnusableCheckpoint("its parameters are those of another model")
    on_device = saved["device_rng"]
    states = [saved["rng"], *([] if on_device is None else [on_device])]
    if any(state.dtype != torch.uint8 for state in states):
        raise UnusableCheckpoint("its random numbers have no state")
    groups = [(set(group), group["params"]) for group in saved["optimizer"]["param_groups"]]
    if groups != [(set(group), group["params"]) for group in optimizer["param_groups"]]:
        raise UnusableCheckpoint("its optimiser has other parameters")
