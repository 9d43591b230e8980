"""The training loop: the runs of a cohort learn from each batch together."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import torch

from ablate.data.batches import Batch
from ablate.errors import Interrupted
from ablate.train.member import Member
from ablate.train.memory import fitting
from ablate.train.setting import Setting, Tally
from ablate.train.stop import Stop


class Engine:
    """Trains members that share everything but the variant.

    Every batch is made once, for all. What a member gets, bit for bit, does not depend on who else
    is there: it can be killed in one company and go on in another. Large models take turns with
    each batch, so that one variant's activations are held at a time; of small ones as many go
    together as fit into memory (``ablate.models.Stack``).

    Args:
        setting: What the members share.
        members: Each from wherever it stopped.
        stop: Looked at after every batch.
    """

    def __init__(self, setting: Setting, members: Sequence[Member], stop: Stop) -> None:
        """Computes nothing yet."""
        self._setting = setting
        self._members = members
        self._stop = stop
        self._batches = setting.training_batches()
        # Found out with the first batch.
        self._together: int | None = None
        self._charged = time.monotonic()

    def train(self) -> None:
        """Trains every member to its last epoch, or to its failure.

        Raises:
            Interrupted: If a stop was asked for; every member's state is saved.
        """
        while going := [m for m in self._members if m.going]:
            position = min(member.position for member in going)
            self._advance([member for member in going if member.position == position])

    def _advance(self, group: list[Member]) -> None:
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

    def _companies(self, group: list[Member], batch: Batch) -> list[list[Member]]:
        """Who goes together through a step."""
        try:
            together = self._together or self._fitting(group[0], batch)
        except Exception:
            # It fails again when it goes alone, and is blamed then.
            return [[member] for member in group]
        self._together = together
        return [group[start : start + together] for start in range(0, len(group), together)]

    def _fitting(self, member: Member, batch: Batch) -> int:
        """How many like this one fit into memory; all, where that cannot be told."""
        if not self._setting.stacked:
            return 1
        model = member.model_in_training()
        fit = fitting(
            model, lambda: self._setting.stack([model], batch.images), self._setting.device
        )
        return fit or len(self._members)

    def _sharing_blame(self, together: list[Member], work: Callable[[list[Member]], None]) -> None:
        """Lets members work together; where that fails, each alone: it shows who is to blame."""
        try:
            work(together)
        except Exception as error:
            if len(together) == 1:
                together[0].fail(error)
                return
            for member in together:
                self._sharing_blame([member], work)

    def _learn(self, together: list[Member], batch: Batch) -> None:
        """One step of members who go together."""
        losses = self._backward(together, batch)
        for member, loss in zip(together, losses, strict=True):
            with member.attempt():
                member.step(loss, len(batch.indices))
                member.say_progress(loss, self._batches.steps_per_epoch)

    def _backward(self, together: list[Member], batch: Batch) -> list[float]:
        """Losses and, where they are finite, gradients; no two members share a parameter."""
        for member in together:
            member.state.optimizer.zero_grad(set_to_none=True)
        if self._setting.stacked:
            losses = self._stacked_losses(together, batch)
        else:
            losses = [self._loss(member, batch) for member in together]
        values: list[float] = torch.stack(losses).tolist()
        finite = [loss for loss, value in zip(losses, values, strict=True) if math.isfinite(value)]
        if finite:
            torch.autograd.backward(finite)
        return values

    def _loss(self, member: Member, batch: Batch) -> torch.Tensor:
        """Over all that the model is asked to learn from."""
        model = member.model_in_training()
        with member.state.randomness(), self._setting.autocast():
            weighted = model.weighted_logits(batch.images)
        losses = [weight * self._setting.loss(logits, batch) for weight, logits in weighted]
        return torch.stack(losses).sum()

    def _stacked_losses(self, together: list[Member], batch: Batch) -> list[torch.Tensor]:
        """The same for Segmenters, which draw no random numbers."""
        models = [member.model_in_training() for member in together]
        found = self._setting.stack(models, batch.images)
        return [self._setting.loss(logits, batch) for logits in found]

    def _validate(self, group: list[Member], epoch: int) -> None:
        """Ends the epoch."""
        tallies = {member: Tally() for member in group}
        for batch in self._setting.validation_batches(epoch):
            look = partial(self._look, batch=batch, tallies=tallies)
            for together in self._companies(group, batch):
                self._sharing_blame(together, look)
            group = self._after(group)
        for member in group:
            with member.attempt():
                member.end_epoch(tallies[member])

    def _look(self, together: list[Member], batch: Batch, tallies: dict[Member, Tally]) -> None:
        """What members find in a validation batch."""
        found = self._setting.logits([member.state.model for member in together], batch)
        for member, logits in zip(together, found, strict=True):
            with member.attempt():
                tallies[member].add(self._setting, batch, logits)

    def _after(self, group: list[Member]) -> list[Member]:
        """Charges the time since the last batch to the group, and looks whether to stop.

        Returns:
            Who is left of the group.
        """
        now = time.monotonic()
        for member in group:
            member.state.elapsed_s += (now - self._charged) / len(group)
        self._charged = now
        if self._stop.requested:
            save_all(self._members)
            raise Interrupted("stopped; every run's state is saved")
        return [member for member in group if member.going]


def save_all(members: Sequence[Member]) -> None:
    """Saves everyone who has not failed."""
    for member in members:
        if not member.failed:
            with member.attempt():
                member.save()
