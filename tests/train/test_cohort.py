"""Runs trained together: the outcome of a run does not depend on the others."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ablate.data.batches import TrainingBatches
from ablate.errors import Interrupted
from ablate.models import SegmentationModel, Segmenter, build, forward_together
from ablate.runs import RunFolder, State
from ablate.train import work
from ablate.train.training_run import TrainingRun
from train.run_helpers import SHORT, PlanRun, failure_of, finished, outcome, stop_after

# Both placements, both MidLays, the released adapter: no two of the same shape.
VARIANTS = ("translandseg", "translandseg-6", "translandseg-released")


@pytest.fixture
def taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM-nano is trained as large models are."""
    monkeypatch.setattr("ablate.models.ensemble._is_small", lambda model: False)


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
    sizes: list[int] = []

    def counted(models: Sequence[SegmentationModel], images: Tensor) -> list[Tensor]:
        sizes.append(len(models))
        return forward_together(models, images)

    monkeypatch.setattr("ablate.train.engine.forward_together", counted)
    monkeypatch.setattr("ablate.train.engine.fitting", lambda *_: 2)
    work(paths(together), "cpu")
    assert sizes == [2, 1] * 3
    assert outcomes(together) == outcomes(alone)


@pytest.mark.usefixtures("taking_turns")
def test_turns_leave_bit_for_bit_what_each_leaves_alone(plan_run: PlanRun) -> None:
    alone, together = alone_and_together(plan_run, "epochs=1")
    work(paths(together), "cpu")
    assert outcomes(together) == outcomes(alone)


@pytest.mark.parametrize("looks", [1, 4, 7])
def test_a_stopped_run_goes_on_beside_other_runs(
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


def test_a_finished_run_of_a_cohort_is_not_trained_again(
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


# Runs that fail ------------------------------------------------------------------------------


def spoil(monkeypatch: pytest.MonkeyPatch, how: Callable[[Segmenter], None]) -> None:
    """Does something to the model of the second of VARIANTS, which has its adapters inside."""

    def built(variant: Any, *args: Any, **kwargs: Any) -> Segmenter:
        model = build(variant, *args, **kwargs)
        if getattr(variant.adapter, "placement", None) == "inside":
            how(model)
        return model

    monkeypatch.setattr("ablate.models.from_spec.build", built)


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
def test_a_run_that_fails_does_not_disturb_the_others(
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
    assert failure_of(together[1]) == message
    assert outcomes([together[0], together[2]]) == outcomes([alone[0], alone[2]])


def test_what_prevents_a_cohort_is_the_failure_of_each(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [plan_run(name, SHORT) for name in VARIANTS]

    def unreadable(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("ablate.train.worker.prepare", unreadable)
    work(paths(folders), "cpu")
    assert [failure_of(folder) for folder in folders] == ["OSError: the disk is gone"] * 3


def test_a_spec_that_cannot_be_read_is_the_failure_of_its_run(plan_run: PlanRun) -> None:
    broken, other = (plan_run(name, SHORT, "epochs=1") for name in VARIANTS[:2])
    (broken.path / "spec.json").write_text("{")
    work([broken.path, other.path], "cpu")
    assert failure_of(broken).startswith("StoreError: ")
    assert other.state() is State.DONE


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("translandseg-6", {"seed": 1}),
        ("translandseg-6", {"store": "another"}),
        ("random-encoder", {}),
        ("sam-points", {}),
        ("unet", {}),
    ],
    ids=str,
)
def test_runs_that_cannot_go_together_are_refused(
    plan_run: PlanRun, name: str, overrides: dict[str, Any]
) -> None:
    folders = [plan_run("translandseg", SHORT), plan_run(name, SHORT, **overrides)]
    work(paths(folders), "cpu")
    for folder in folders:
        assert failure_of(folder).startswith(
            f"BadInput: translandseg, {name} cannot be trained together; only runs of adapted SAM"
        )


def test_runs_of_two_protocols_are_refused(plan_run: PlanRun) -> None:
    folders = [plan_run("translandseg", SHORT), plan_run("translandseg-6", SHORT, "epochs=1")]
    work(paths(folders), "cpu")
    assert all("cannot be trained together" in failure_of(folder) for folder in folders)


# Models that cannot be stacked ---------------------------------------------------------------


class Doubled(nn.Module):
    """A wrapper that the stack does not know."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out + out


def test_a_model_with_a_replaced_layer_trains_beside_the_others(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def double(model: Segmenter) -> None:
        mlp = model.get_submodule("image_encoder.blocks.0.block.mlp")
        mlp.lin1 = Doubled(mlp.lin1)

    plain, together = alone_and_together(plan_run)
    spoil(monkeypatch, double)
    changed = plan_run(VARIANTS[1], SHORT, store="changed")
    work([changed.path], "cpu")
    with monkeypatch.context() as patch:
        stop_after(patch, 4)
        with pytest.raises(Interrupted):
            work(paths(together[1:]), "cpu")
    work(paths(together), "cpu")
    assert outcomes(together) == outcomes([plain[0], changed, plain[2]])
    assert outcome(changed) != outcome(plain[1])


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

    monkeypatch.setattr("ablate.models.from_spec.build", built)
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
