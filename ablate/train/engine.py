"""The training loop: one loop steps all runs of a cohort on each batch."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import torch

from ablate.data.batches import Batch
from ablate.errors import Interrupted, OutOfSharedMemory
from ablate.models import can_stack, forward_together
from ablate.models.out_of_memory import is_out_of_memory, make_room
from ablate.train.cohort_setup import CohortSetup, ValidationAccumulator
from ablate.train.meter import Meter
from ablate.train.micro_batches import Purpose, WeightedLogits, weighted_logits_in_parts
from ablate.train.sharing import give_way, report_memory
from ablate.train.signals import Stop
from ablate.train.stack_size import fitting
from ablate.train.training_run import TrainingRun


class Engine:
    """Trains runs that share everything but the variant.

    Every batch is made once, for all. What a run computes, bit for bit, does not depend on the
    other runs: it can be interrupted in one cohort and go on in another. Models that can be stacked
    (``ablate.models.can_stack``) are computed together, as many as fit into memory; all others take
    turns with each batch, so that the activations of one model are held at a time.

    Where memory is short, what was computed is dropped and repeated: with half as many runs
    together, then with half as many images at once (``ablate.train.micro_batches``). A run that
    does not fit even so fails, and the others go on.

    Args:
        setup: What the runs share.
        runs: Each from wherever it stopped.
        stop: Checked after every batch.
        meter: Charges the runs with every batch.
    """

    def __init__(
        self, setup: CohortSetup, runs: Sequence[TrainingRun], stop: Stop, meter: Meter
    ) -> None:
        """Computes nothing yet."""
        self._setup = setup
        self._runs = runs
        self._stop = stop
        self._meter = meter
        self._batches = setup.training_batches()
        self._stackable = {run for run in runs if can_stack(run.state.model)}
        # Measured with the first batch.
        self._stack_size: int | None = None
        self._has_reported = False

    def train(self) -> None:
        """Trains every run to its last epoch, or to its failure.

        Raises:
            Interrupted: If a stop was requested; every run's state is saved.
            OutOfSharedMemory: If memory is short beside other cohorts; likewise.
        """
        try:
            while unfinished := [run for run in self._runs if run.unfinished]:
                position = min(run.position for run in unfinished)
                self._advance([run for run in unfinished if run.position == position])
        except OutOfSharedMemory:
            save_all(self._runs)
            raise

    def _advance(self, group: list[TrainingRun]) -> None:
        """Trains the runs that are furthest behind: up to the next ones, or through an epoch."""
        epoch, step = group[0].position
        if step == self._batches.steps_per_epoch:
            self._validate(group, epoch)
            return
        steps_ahead = [
            run.position[1] - step
            for run in self._runs
            if run.unfinished and run.position[0] == epoch and run.position[1] > step
        ]
        for batch in islice(self._batches.epoch(epoch, step), min(steps_ahead, default=None)):
            train_step = partial(self._train_step, batch=batch)
            for together in self._batches_of_runs(group, batch, "training"):
                self._isolating_failures(together, train_step, batch, "training")
            self._report_memory()
            group = self._remaining(group)
            if not group:
                return

    def _batches_of_runs(
        self, group: list[TrainingRun], batch: Batch, purpose: Purpose
    ) -> list[list[TrainingRun]]:
        """The runs that are computed together on a batch."""
        stackable = [
            run
            for run in group
            if run in self._stackable and run.images_at_once(purpose, batch) == len(batch.indices)
        ]
        alone = [[run] for run in group if run not in stackable]
        if not stackable:
            return alone
        try:
            size = self._stack_size or self._fitting(stackable[0], batch)
        except Exception:
            # It fails again when it is computed alone, and the failure is then its own.
            return [[run] for run in group]
        self._stack_size = size
        stacks = [stackable[start : start + size] for start in range(0, len(stackable), size)]
        return stacks + alone

    def _fitting(self, run: TrainingRun, batch: Batch) -> int:
        """How many models like this one fit into memory; all, where that is not known."""
        model = run.model_in_training()

        def forward() -> list[torch.Tensor]:
            with self._setup.autocast():
                return forward_together([model], batch.images)

        return fitting(model, forward, self._setup.device) or len(self._runs)

    def _isolating_failures(
        self,
        together: list[TrainingRun],
        work: Callable[[list[TrainingRun]], None],
        batch: Batch,
        purpose: Purpose,
    ) -> None:
        """Computes runs together; if that fails, each alone, which shows whose failure it is.

        Where memory is short, it is done with half as many runs, or with half the images at once.
        """
        try:
            work(together)
            return
        except Interrupted:
            raise
        except Exception as error:
            for run in together:
                # Running statistics have moved with the step that failed: no state to save.
                run.failed |= purpose == "training" and run.state.model.mixes_images
            give_way(self._setup.shared, error)
            is_short = is_out_of_memory(error)
            if len(together) == 1 and not is_short:
                together[0].fail(error)
                return
        if is_short:
            make_room(self._setup.device)
        if len(together) == 1:
            with together[0].attempt():
                together[0].halve_images_at_once(purpose, batch)
            pieces = [] if together[0].failed else [together]
        elif is_short:
            # Fewer together compute the same bits, and no more will fit the next time.
            self._stack_size = math.ceil(len(together) / 2)
            pieces = [together[: self._stack_size], together[self._stack_size :]]
        else:
            pieces = [[run] for run in together]
        for piece in pieces:
            self._isolating_failures(piece, work, batch, purpose)

    def _train_step(self, together: list[TrainingRun], batch: Batch) -> None:
        """One step of runs that are computed together."""
        losses = self._backward(together, batch)
        for run, loss in zip(together, losses, strict=True):
            with run.attempt():
                run.step(loss, len(batch.indices))
                run.report_progress(loss, self._batches.steps_per_epoch)

    def _backward(self, together: list[TrainingRun], batch: Batch) -> list[float]:
        """Losses and, where they are finite, gradients; no two runs share a parameter."""
        for run in together:
            run.state.optimizer.zero_grad(set_to_none=True)
        if len(together) > 1:
            return _differentiated(self._losses_together(together, batch))
        (run,) = together
        # Until the gradients are there: a step that is repeated draws the same numbers.
        with run.state.randomness():
            return _differentiated([self._loss(run, batch)])

    def _loss(self, run: TrainingRun, batch: Batch) -> torch.Tensor:
        """The weighted sum over all logits that the model is trained on."""
        model, at_once = run.model_in_training(), run.images_at_once("training", batch)

        def in_a_stack(images: torch.Tensor) -> WeightedLogits:
            return [(1.0, logits) for logits in forward_together([model], images)]

        forward = in_a_stack if run in self._stackable else model.weighted_logits
        with self._setup.autocast():
            weighted = weighted_logits_in_parts(forward, batch.images, at_once)
        losses = [weight * self._setup.loss(logits, batch) for weight, logits in weighted]
        return torch.stack(losses).sum()

    def _losses_together(self, together: list[TrainingRun], batch: Batch) -> list[torch.Tensor]:
        """The same for models that can be stacked, which draw no random numbers."""
        models = [run.model_in_training() for run in together]
        with self._setup.autocast():
            logits = forward_together(models, batch.images)
        return [self._setup.loss(each, batch) for each in logits]

    def _report_memory(self) -> None:
        """Tells the others on the device, once, what a step takes."""
        if not self._has_reported:
            self._has_reported = True
            report_memory(self._setup.shared, self._setup.device)

    def _validate(self, group: list[TrainingRun], epoch: int) -> None:
        """Ends the epoch."""
        accumulators = {run: ValidationAccumulator() for run in group}
        for batch in self._setup.validation_batches(epoch):
            validate = partial(self._validate_batch, batch=batch, accumulators=accumulators)
            for together in self._batches_of_runs(group, batch, "evaluation"):
                self._isolating_failures(together, validate, batch, "evaluation")
            group = self._remaining(group)
        for run in group:
            with run.attempt():
                run.end_epoch(accumulators[run])

    def _validate_batch(
        self,
        together: list[TrainingRun],
        batch: Batch,
        accumulators: dict[TrainingRun, ValidationAccumulator],
    ) -> None:
        """Evaluates runs on a batch of validation images."""
        # Those that do not compute a whole batch at once are not computed together.
        at_once = together[0].images_at_once("evaluation", batch)
        logits = self._setup.logits([run.state.model for run in together], batch, at_once)
        for run, own_logits in zip(together, logits, strict=True):
            with run.attempt():
                accumulators[run].add(self._setup, batch, own_logits)

    def _remaining(self, group: list[TrainingRun]) -> list[TrainingRun]:
        """Charges the time since the last batch to the group, and stops if requested.

        Returns:
            The runs of the group that have not failed.
        """
        share_s = self._meter.charge([run.folder for run in group])
        for run in group:
            run.state.train_s += share_s
        if self._stop.requested:
            save_all(self._runs)
            raise Interrupted("stopped; every run's state is saved")
        return [run for run in group if run.unfinished]


def _differentiated(losses: list[torch.Tensor]) -> list[float]:
    """The values of losses; those that are finite are differentiated."""
    values: list[float] = torch.stack(losses).tolist()
    finite = [loss for loss, value in zip(losses, values, strict=True) if math.isfinite(value)]
    if finite:
        torch.autograd.backward(finite)
    return values


def save_all(runs: Sequence[TrainingRun]) -> None:
    """Saves every run that has not failed."""
    for run in runs:
        if not run.failed:
            with run.attempt():
                run.save()
