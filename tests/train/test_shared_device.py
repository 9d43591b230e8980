"""A cohort on a device that others may be on: what it reports, and when it gives way."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from ablate.errors import OutOfSharedMemory
from ablate.models import SegmentationModel, Segmenter
from ablate.runs import RunFolder, State
from ablate.train import work
from ablate.train.training_run import TrainingRun
from train.run_helpers import SHORT, PlanRun, finished, outcome

ONE_EPOCH = (SHORT, "epochs=1")


@dataclass
class Others:
    """Those on the device: they come when they have heard how much memory there is."""

    has_company: bool = False
    heard: list[tuple[int, int]] = field(default_factory=list)

    def report_memory(self, peak_bytes: int, free_bytes: int) -> None:
        self.has_company = True
        self.heard.append((peak_bytes, free_bytes))


@pytest.fixture
def taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM-nano is trained as large models are."""
    monkeypatch.setattr("ablate.models.ensemble._is_small", lambda model: False)


def saved_steps(folder: RunFolder) -> list[int]:
    return [int(path.stem.split("-")[1]) for path in folder.path.glob("checkpoint-*.pt")]


def run_short(monkeypatch: pytest.MonkeyPatch, others: Others, when: bool) -> None:
    """Memory for two images as soon, or as long, as others are there."""
    forward = Segmenter.forward

    def limited(self: Segmenter, images: Tensor) -> Tensor:
        if others.has_company is when and len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, images)

    monkeypatch.setattr(Segmenter, "forward", limited)


def test_the_memory_is_reported_once_after_the_first_step(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    others, steps = Others(), []
    step = TrainingRun.step

    def noted(self: TrainingRun, loss: float, images: int) -> None:
        step(self, loss, images)
        steps.append(len(others.heard))

    monkeypatch.setattr(TrainingRun, "step", noted)
    folders = [plan_run(name, *ONE_EPOCH) for name in ("translandseg", "translandseg-6")]
    work([folder.path for folder in folders], "cpu", others)
    # Two runs, three steps each.
    assert steps == [0, 0, 1, 1, 1, 1]
    ((peak_bytes, free_bytes),) = others.heard
    assert peak_bytes > 2**26
    assert free_bytes > 2**20
    for folder in folders:
        assert finished(folder).micro_batches == ()


def test_an_evaluation_reports_after_its_first_image(plan_run: PlanRun) -> None:
    others = Others()
    work([plan_run("sam-points").path], "cpu", others)
    assert len(others.heard) == 1


@pytest.mark.usefixtures("taking_turns")
def test_beside_others_it_saves_its_state_and_leaves(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, folder = (plan_run("translandseg", *ONE_EPOCH, store=store) for store in "ab")
    work([undisturbed.path], "cpu")
    others = Others()
    with monkeypatch.context() as patch:
        run_short(patch, others, when=True)
        with pytest.raises(OutOfSharedMemory):
            work([folder.path], "cpu", others)
    assert folder.state() is State.INTERRUPTED
    assert saved_steps(folder) == [1]
    assert [each.beside_others for each in folder.attempts()] == [True]
    work([folder.path], "cpu")
    assert outcome(folder) == outcome(undisturbed)
    assert [each.beside_others for each in folder.attempts()] == [True, False]


@pytest.mark.usefixtures("taking_turns")
def test_before_others_may_come_it_helps_itself(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, others = plan_run("translandseg", *ONE_EPOCH), Others()
    run_short(monkeypatch, others, when=False)
    work([folder.path], "cpu", others)
    assert [each.images for each in finished(folder).micro_batches] == [2]
    assert len(others.heard) == 1


@pytest.mark.usefixtures("taking_turns")
def test_running_statistics_of_a_step_that_failed_are_not_saved(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, others = plan_run("translandseg", *ONE_EPOCH), Others()
    monkeypatch.setattr(SegmentationModel, "mixes_images", True)
    run_short(monkeypatch, others, when=True)
    with pytest.raises(OutOfSharedMemory):
        work([folder.path], "cpu", others)
    assert folder.state() is State.NEW


def test_half_a_step_is_not_saved(plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (plan_run(name, *ONE_EPOCH) for name in ("translandseg", "translandseg-6"))
    others, step = Others(), TrainingRun.step

    def short(self: TrainingRun, loss: float, images: int) -> None:
        if others.has_company and self.folder.key == second.key:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        step(self, loss, images)

    monkeypatch.setattr(TrainingRun, "step", short)
    with pytest.raises(OutOfSharedMemory):
        work([first.path, second.path], "cpu", others)
    # The first has done its second step by then.
    assert saved_steps(first) == [2]
    assert second.state() is State.NEW
