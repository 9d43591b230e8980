"""The training loop: the runs of a cohort learn from each batch together."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import torch

from ablate.data.batches import Batch
from ablate.errors import Interrupted
from ablate.train.cohort_setup import CohortSetup, ValidationAccumulator
from ablate.train.signals import Stop
from ablate.train.stack_size import fitting
from ablate.train.training_run import TrainingRun


class Engine:
    """Trains runs that share everything but the variant.

    Every batch is made once, for all. What a run gets, bit for bit, does not depend on who else
    is there: it can be killed in one company and go on in another. Large models take turns with
    each batch, so that one variant's activations are held at a time; of small ones as many go
    together as fit into memory (``ablate.models.Stack``).

    Args:
        setup: What the runs share.
        runs: Each from wherever it stopped.
        stop: Looked at after every batch.
    """

    def __init__(self, setup: CohortSetup, runs: Sequence[TrainingRun], stop: Stop) -> None:
        """Computes nothing yet."""
        self._setup = setup
        self._members = runs
        self._stop = stop
        self._batches = setup.training_batches()
        # Found out with the first batch.
        self._together: int | None = None
        self._charged = time.monotonic()

    def train(self) -> None:
        """Trains every run to its last epoch, or to its failure.

        Raises:
            Interrupted: If a stop was asked for; every run's state is saved.
        """
        while going := [m for m in self._members if m.going]:
            position = min(run.position for run in going)
            self._advance([run for run in going if run.position == position])

    def _advance(self, group: list[TrainingRun]) -> None:
        """Trains those farthest behind: until they reach others, or through an epoch's end."""
        epoch, step = group[0].position
        if step == self._batches.steps_per_epoch:
            self._validate(group, epoch)
            return
        others = [m.position[1] for m in self._members if m.going and m.position[0] == epoch]
        until = min((other for other in others if other > step), default=None)
        for batch in islice(self._batches.epoch(epoch, step), until and until - step):
            learn = partial(self._learn, batch=batch)
            for together in self._companies(group, batch):
                self._sharing_blame(together, learn)
            group = self._after(group)
            if not group:
                return

    def _companies(self, group: list[TrainingRun], batch: Batch) -> list[list[TrainingRun]]:
        """Who goes together through a step."""
        try:
            together = self._together or self._fitting(group[0], batch)
        except Exception:
            # It fails again when it goes alone, and is blamed then.
            return [[run] for run in group]
        self._together = together
        return [group[start : start + together] for start in range(0, len(group), together)]

    def _fitting(self, run: TrainingRun, batch: Batch) -> int:
        """How many like this one fit into memory; all, where that cannot be told."""
        if not self._setup.stacked:
            return 1
        model = run.model_in_training()
        fit = fitting(
            model, lambda: self._setup.stack([model], batch.images), self._setup.device
        )
        return fit or len(self._members)

    def _sharing_blame(
        self, together: list[TrainingRun], work: Callable[[list[TrainingRun]], None]
    ) -> None:
        """Lets runs work together; where that fails, each alone: it shows who is to blame."""
        try:
            work(together)
        except Exception as error:
            if len(together) == 1:
                together[0].fail(error)
                return
            for run in together:
                self._sharing_blame([run], work)

    def _learn(self, together: list[TrainingRun], batch: Batch) -> None:
        """One step of runs who go together."""
        losses = self._backward(together, batch)
        for run, loss in zip(together, losses, strict=True):
            with run.attempt():
                run.step(loss, len(batch.indices))
                run.report_progress(loss, self._batches.steps_per_epoch)

    def _backward(self, together: list[TrainingRun], batch: Batch) -> list[float]:
        """Losses and, where they are finite, gradients; no two runs share a parameter."""
        for run in together:
            run.state.optimizer.zero_grad(set_to_none=True)
        if self._setup.stacked:
            losses = self._stacked_losses(together, batch)
        else:
            losses = [self._loss(run, batch) for run in together]
        values: list[float] = torch.stack(losses).tolist()
        finite = [loss for loss, value in zip(losses, values, strict=True) if math.isfinite(value)]
        if finite:
            torch.autograd.backward(finite)
        return values

    def _loss(self, run: TrainingRun, batch: Batch) -> torch.Tensor:
        """Over all that the model is asked to learn from."""
        model = run.model_in_training()
        with run.state.randomness(), self._setup.autocast():
            weighted = model.weighted_logits(batch.images)
        losses = [weight * self._setup.loss(logits, batch) for weight, logits in weighted]
        return torch.stack(losses).sum()

    def _stacked_losses(self, together: list[TrainingRun], batch: Batch) -> list[torch.Tensor]:
        """The same for Segmenters, which draw no random numbers."""
        models = [run.model_in_training() for run in together]
        found = self._setup.stack(models, batch.images)
        return [self._setup.loss(logits, batch) for logits in found]

    def _validate(self, group: list[TrainingRun], epoch: int) -> None:
        """Ends the epoch."""
        tallies = {run: ValidationAccumulator() for run in group}
        for batch in self._setup.validation_batches(epoch):
            look = partial(self._look, batch=batch, tallies=tallies)
            for together in self._companies(group, batch):
                self._sharing_blame(together, look)
            group = self._after(group)
        for run in group:
            with run.attempt():
                run.end_epoch(tallies[run])

    def _look(
        self,
        together: list[TrainingRun],
        batch: Batch,
        tallies: dict[TrainingRun, ValidationAccumulator],
    ) -> None:
        """What runs find in a validation batch."""
        found = self._setup.logits([run.state.model for run in together], batch)
        for run, logits in zip(together, found, strict=True):
            with run.attempt():
                tallies[run].add(self._setup, batch, logits)

    def _after(self, group: list[TrainingRun]) -> list[TrainingRun]:
        """Charges the time since the last batch to the group, and looks whether to stop.

        Returns:
            Who is left of the group.
        """
        now = time.monotonic()
        for run in group:
            run.state.train_s += (now - self._charged) / len(group)
        self._charged = now
        if self._stop.requested:
            save_all(self._members)
            raise Interrupted("stopped; every run's state is saved")
        return [run for run in group if run.going]


def save_all(runs: Sequence[TrainingRun]) -> None:
    """Saves everyone who has not failed."""
    for run in runs:
        if not run.failed:
            with run.attempt():
                run.save()
