"""The state of a training from one step to the next, and its checkpoint."""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ablate.models import SegmentationModel
from ablate.spec import Protocol

Tensors = dict[str, torch.Tensor]


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

    def to_bytes(self) -> bytes:
        """The whole state as one checkpoint."""
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
            },
            buffer,
        )
        return buffer.getvalue()

    def load(self, content: bytes) -> None:
        """Restores the state that ``to_bytes`` wrote; only tensors and plain values are loaded."""
        saved: dict[str, Any] = torch.load(
            io.BytesIO(content), map_location="cpu", weights_only=True
        )
        self.epoch = saved["epoch"]
        self.step_in_epoch = saved["step_in_epoch"]
        self.step = saved["step"]
        self.loss_sum = saved["loss_sum"]
        self.train_s = saved["train_s"]
        self.best = Best(**saved["best"]) if saved["best"] else None
        self.model.load_trainable_state(saved["trained"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        self._rng = saved["rng"]
        # None where the run was on another kind of device until now.
        if saved["device_rng"] is not None:
            self._device_rng = saved["device_rng"]
