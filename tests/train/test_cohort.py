"""Runs trained together: nobody's outcome shows who else was there."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ablate.data.batches import TrainingBatches
from ablate.errors import Interrupted
from ablate.models import SegmentationModel, Segmenter, build
from ablate.runs import RunFolder, State
from ablate.train import work
from ablate.train.cohort_setup import CohortSetup
from ablate.train.training_run import TrainingRun
from train.conftest import PlanRun
from train.test_work import finished, outcome, stop_after

# Both placements, both MidLays, the released adapter: no two of the same shape.
VARIANTS = ("translandseg", "translandseg-6", "translandseg-released")
# Nine images, in batches of four: three steps, the last with a single image.
SHORT = "data={kind: generated, seed: 1, count: 14, size_px: 64}"


@pytest.fixture
def taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM-nano is trained as large models are."""

    monkeypatch.setattr("ablate.train.worker._is_small", lambda context: False)


def paths(folders: list[RunFolder]) -> list[Path]:
    return [folder.path for folder in folders]


def alone_and_together(
    plan_run: PlanRun, *overrides: str
) -> tuple[list[RunFolder], list[RunFolder]]:
    """Planned twice, in two stores; the first ones are trained, each by itself."""
    alone, together = (
        [plan_run(name, SHORT, *overrides, store=store) for name in VARIANTS]
        for store in ("alone", "together")
    )
    for folder in alone:
        work([folder.path], "cpu")
    return alone, together


def outcomes(folders: list[RunFolder]) -> list[dict[str, object]]:
    return [outcome(folder) for folder in folders]


def test_a_stack_leaves_bit_for_bit_what_each_leaves_alone(plan_run: PlanRun) -> None:
    alone, together = alone_and_together(plan_run, "epochs=1")
    work(paths(together), "cpu")
    assert outcomes(together) == outcomes(alone)


def test_no_more_go_together_than_fit_into_memory(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, together = alone_and_together(plan_run, "epochs=1")
    companies: list[int] = []
    stack = CohortSetup.stack

    def counted(
        self: CohortSetup, models: Sequence[SegmentationModel], images: Tensor
    ) -> list[Tensor]:
        companies.append(len(models))
        return stack(self, models, images)

    monkeypatch.setattr(CohortSetup, "stack", counted)
    monkeypatch.setattr("ablate.train.engine.fitting", lambda *_: 2)
    work(paths(together), "cpu")
    assert set(companies) == {1, 2}
    assert outcomes(together) == outcomes(alone)


@pytest.mark.usefixtures("taking_turns")
def test_turns_leave_bit_for_bit_what_each_leaves_alone(plan_run: PlanRun) -> None:
    alone, together = alone_and_together(plan_run, "epochs=1")
    work(paths(together), "cpu")
    assert outcomes(together) == outcomes(alone)


@pytest.mark.parametrize("looks", [1, 4, 7])
def test_a_stopped_cohort_goes_on_in_other_company(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """One has not begun when the others are stopped, in a step or a validation; it catches up."""
    alone, together = alone_and_together(plan_run)
    with monkeypatch.context() as patch:
        stop_after(patch, looks)
        with pytest.raises(Interrupted):
            work(paths(together[1:]), "cpu")
    assert [folder.state() for folder in together] == [State.NEW, *[State.INTERRUPTED] * 2]
    work(paths(together), "cpu")
    assert outcomes(together) == outcomes(alone)


def test_a_stop_between_the_last_evaluations_keeps_the_others(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [plan_run(name, SHORT, "epochs=1") for name in VARIANTS]
    # Three steps and two batches of validation images are looked at before.
    stop_after(monkeypatch, 6)
    with pytest.raises(Interrupted):
        work(paths(folders), "cpu")
    states = [State.DONE, State.INTERRUPTED, State.INTERRUPTED]
    assert [folder.state() for folder in folders] == states


def test_a_finished_member_is_not_trained_again(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, other = (plan_run(name, SHORT, "epochs=1") for name in VARIANTS[:2])
    work([done.path], "cpu")
    stepped: list[str] = []
    step = TrainingRun.step

    def noted(self: TrainingRun, loss: float, images: int) -> None:
        stepped.append(self.folder.key)
        step(self, loss, images)

    monkeypatch.setattr(TrainingRun, "step", noted)
    before = outcome(done)
    work([done.path, other.path], "cpu")
    assert stepped == [other.key] * 3
    assert outcome(done) == before
    assert other.state() is State.DONE


def test_every_batch_is_made_once_for_all(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []
    epoch = TrainingBatches.epoch

    def counted(self: TrainingBatches, number: int, start_step: int = 0) -> Any:
        epochs.append(number)
        return epoch(self, number, start_step)

    monkeypatch.setattr(TrainingBatches, "epoch", counted)
    work([plan_run(name, SHORT).path for name in VARIANTS], "cpu")
    assert epochs == [1, 2]
    epochs.clear()
    folders = [plan_run(name, SHORT, store="in twos") for name in VARIANTS]
    work(paths(folders), "cpu", cohort_size=2)
    assert epochs == [1, 2, 1, 2]
    assert {folder.state() for folder in folders} == {State.DONE}


# Who leaves ----------------------------------------------------------------------------------


def spoil(monkeypatch: pytest.MonkeyPatch, how: Callable[[Segmenter], None]) -> None:
    """Does something to the model of the second of VARIANTS, which has its adapters inside."""

    def built(variant: Any, *args: Any, **kwargs: Any) -> Segmenter:
        model = build(variant, *args, **kwargs)
        if getattr(variant.adapter, "placement", None) == "inside":
            how(model)
        return model

    monkeypatch.setattr("ablate.train.worker.build", built)


def diverge(model: Segmenter) -> None:
    with torch.no_grad():
        next(model.adapters[0].parameters()).fill_(torch.nan)


def crash(model: Segmenter) -> None:
    calls: list[int] = []

    def look(*_: object) -> None:
        calls.append(1)
        # Every step of a stack that fails is tried again run by run.
        if len(calls) > 1:
            raise RuntimeError("out of luck")

    model.adapters[0].register_forward_pre_hook(look)


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize(
    ("how", "state", "message"),
    [
        (diverge, State.DIVERGED, "Diverged: the training loss is nan in epoch 1, step 1"),
        (crash, State.FAILED, "RuntimeError: out of luck"),
    ],
)
def test_who_leaves_the_cohort_does_not_disturb_the_others(
    plan_run: PlanRun,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    how: Callable[[Segmenter], None],
    state: State,
    message: str,
    stacked: bool,
) -> None:
    if not stacked:
        request.getfixturevalue("taking_turns")
    alone, together = alone_and_together(plan_run, "epochs=1")
    spoil(monkeypatch, how)
    work(paths(together), "cpu")
    assert together[1].state() is state
    failure = together[1].failure()
    assert failure is not None
    assert failure.message == message
    assert outcomes([together[0], together[2]]) == outcomes([alone[0], alone[2]])


def test_what_hinders_all_is_the_failure_of_each(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [plan_run(name, SHORT) for name in VARIANTS]

    def unreadable(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("ablate.train.worker.prepare", unreadable)
    work(paths(folders), "cpu")
    failures = [folder.failure() for folder in folders]
    assert [each and each.message for each in failures] == ["OSError: the disk is gone"] * 3


# Random numbers ------------------------------------------------------------------------------


class Forgetful(SegmentationModel):
    """Two layers with dropout between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 1), nn.Dropout(0.5), nn.Conv2d(width, 1, 1))
        with torch.no_grad():
            for number, parameter in enumerate(self.parameters()):
                parameter.copy_(
                    torch.linspace(-1, 1 + number, parameter.numel()).view_as(parameter)
                )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits


@pytest.mark.usefixtures("taking_turns")
def test_each_draws_random_numbers_of_its_own(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(variant: Any, *_: object, **__: object) -> Forgetful:
        return Forgetful(8 if variant.adapter.kind == "atl" else 4)

    monkeypatch.setattr("ablate.train.worker.build", built)
    alone, together = alone_and_together(plan_run)
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        with pytest.raises(Interrupted):
            work(paths(together[1:]), "cpu")
    work(paths(together), "cpu")
    assert outcomes(together) == outcomes(alone)
    # The first two differ in name alone: the same numbers from the same start.
    first, second = (finished(folder).weights_sha256 for folder in together[:2])
    assert first == second


def test_each_trunk_has_its_own_cohort(plan_run: PlanRun) -> None:
    names = ("translandseg", "random-encoder", "decoder-only")
    alone, together = (
        [plan_run(name, SHORT, "epochs=1", store=store) for name in names]
        for store in ("alone", "together")
    )
    for folder in alone:
        work([folder.path], "cpu")
    work(paths(together), "cpu")
    assert outcomes(together) == outcomes(alone)
    assert len({str(each["weights"]) for each in outcomes(together)}) == 3
