"""Memory that is short: fewer runs together, fewer images at once, the same training."""

import errno
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ablate.errors import Interrupted
from ablate.models import Cnn, SegmentationModel, Segmenter, forward_together
from ablate.models.atl_released import PromptedEncoder
from ablate.models.out_of_memory import is_out_of_memory
from ablate.runs import RunFolder, State
from ablate.train import work
from ablate.train.training_run import TrainingRun
from train.run_helpers import SHORT, PlanRun, failure_of, finished, outcome, stop_after

VARIANTS = ("translandseg", "translandseg-6", "translandseg-released")
ONE_EPOCH = (SHORT, "epochs=1")


def out_of_memory() -> Exception:
    """What PyTorch raises for an accelerator."""
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore.")


@pytest.fixture
def taking_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAM-nano is trained as large models are."""
    monkeypatch.setattr("ablate.models.ensemble._is_small", lambda model: False)


def limit_stacks(
    monkeypatch: pytest.MonkeyPatch,
    fits: Callable[[Sequence[SegmentationModel], Tensor], bool],
) -> list[tuple[int, int]]:
    """Memory for stacks of small models; returns the models and images of those that fitted."""
    computed: list[tuple[int, int]] = []

    def limited(models: Sequence[SegmentationModel], images: Tensor) -> list[Tensor]:
        if not fits(models, images):
            raise out_of_memory()
        computed.append((len(models), len(images)))
        return forward_together(models, images)

    monkeypatch.setattr("ablate.train.engine.forward_together", limited)
    monkeypatch.setattr("ablate.train.cohort_setup.forward_together", limited)
    return computed


def limit_forward(
    monkeypatch: pytest.MonkeyPatch, model: type[SegmentationModel], name: str, images: int
) -> None:
    """Memory for so many images at once in a method of a model."""
    method = getattr(model, name)

    def limited(self: Any, batch: Tensor) -> Any:
        if len(batch) > images:
            raise out_of_memory()
        return method(self, batch)

    monkeypatch.setattr(model, name, limited)


def assert_trained_alike(folder: RunFolder, undisturbed: RunFolder) -> None:
    """The same training but for the rounding of sums."""
    for event, other in zip(folder.events(), undisturbed.events(), strict=True):
        assert (event.epoch, event.step) == (other.epoch, other.step)
        assert event.metrics == pytest.approx(other.metrics, rel=1e-3)
    ours, theirs = (load_file(each.weights_path) for each in (folder, undisturbed))
    for name in ours:
        # Their gradient is zero but for rounding, which decides where they go.
        if not name.endswith(".k_proj.bias"):
            # A step moves a weight by the learning rate, 2e-3, whatever its gradient is.
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=2e-4)


def noted(folder: RunFolder) -> list[tuple[str, int, int, int]]:
    return [
        (each.purpose, each.images, each.batch, each.after_steps)
        for each in finished(folder).micro_batches
    ]


def trained_alone(plan_run: PlanRun, *variants: str) -> list[RunFolder]:
    folders = [plan_run(name, *ONE_EPOCH, store="undisturbed") for name in variants]
    for folder in folders:
        work([folder.path], "cpu")
    return folders


def test_fewer_runs_together_leave_the_same_bits(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained_alone(plan_run, *VARIANTS)
    together = [plan_run(name, *ONE_EPOCH) for name in VARIANTS]
    computed = limit_stacks(monkeypatch, lambda models, images: len(models) <= 2)
    work([folder.path for folder in together], "cpu")
    assert [outcome(folder) for folder in together] == [outcome(folder) for folder in alone]
    # One was measured. That three do not fit is found once.
    assert computed[:4] == [(1, 4), (2, 4), (1, 4), (2, 4)]
    assert [noted(folder) for folder in together] == [[], [], []]


def test_a_stack_with_fewer_images_at_once(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained_alone(plan_run, *VARIANTS[:2])
    together = [plan_run(name, *ONE_EPOCH) for name in VARIANTS[:2]]
    limit_stacks(monkeypatch, lambda models, images: len(models) * len(images) <= 2)
    work([folder.path for folder in together], "cpu")
    for folder, undisturbed in zip(together, alone, strict=True):
        assert noted(folder) == [("training", 2, 4, 0), ("evaluation", 2, 4, 3)]
        assert_trained_alike(folder, undisturbed)


@pytest.mark.usefixtures("taking_turns")
def test_turns_with_one_image_at_once(plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch) -> None:
    (alone,) = trained_alone(plan_run, "translandseg")
    folder = plan_run("translandseg", *ONE_EPOCH)
    limit_forward(monkeypatch, Segmenter, "forward", 1)
    steps: list[int] = []
    step = TrainingRun.step

    def counted(self: TrainingRun, loss: float, images: int) -> None:
        steps.append(images)
        step(self, loss, images)

    monkeypatch.setattr(TrainingRun, "step", counted)
    work([folder.path], "cpu")
    # What was tried with four and with two images leaves no trace.
    assert noted(folder) == [("training", 1, 4, 0), ("evaluation", 1, 4, 3)]
    assert steps == [4, 4, 1]
    assert_trained_alike(folder, alone)


def test_a_cnn_is_evaluated_with_fewer_images_but_not_trained_so(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("data={kind: generated, seed: 1, count: 8, size_px: 64}", "epochs=1")
    undisturbed = plan_run("deeplabv3plus", *few, store="undisturbed")
    work([undisturbed.path], "cpu")
    folder = plan_run("deeplabv3plus", *few)
    # Called in evaluation alone.
    limit_forward(monkeypatch, Cnn, "forward", 1)
    work([folder.path], "cpu")
    assert noted(folder) == [("evaluation", 1, 3, 2)]
    assert folder.weights_path.read_bytes() == undisturbed.weights_path.read_bytes()
    assert finished(folder).metrics == pytest.approx(finished(undisturbed).metrics)

    failed = plan_run("deeplabv3plus", *few, store="failed")
    limit_forward(monkeypatch, Cnn, "weighted_logits", 2)
    work([failed.path], "cpu")
    assert failure_of(failed) == (
        "OutOfMemory: a batch of 4 images does not fit into the memory of cpu, and batch "
        "normalisation over a part of them would train another model; use a device with more "
        "memory, or a smaller batch_size or image_size_px"
    )


@pytest.mark.usefixtures("taking_turns")
def test_a_resumed_run_keeps_what_it_has_found(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, folder = (plan_run("translandseg", SHORT, store=store) for store in "ab")
    with monkeypatch.context() as patch:
        limit_forward(patch, Segmenter, "forward", 2)
        work([undisturbed.path], "cpu")
        # In the second epoch: the first has three steps and two batches to validate.
        stop_after(patch, 6)
        with pytest.raises(Interrupted):
            work([folder.path], "cpu")
    assert folder.state() is State.INTERRUPTED
    work([folder.path], "cpu")
    assert outcome(folder) == outcome(undisturbed)
    assert noted(folder) == [("training", 2, 4, 0), ("evaluation", 2, 4, 3)]


def test_one_that_cannot_be_helped_fails_beside_others_that_end(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained_alone(plan_run, *VARIANTS[:2])
    together = [plan_run(name, *ONE_EPOCH) for name in VARIANTS]

    def fits(models: Sequence[SegmentationModel], images: Tensor) -> bool:
        return not any(
            isinstance(each, PromptedEncoder) for model in models for each in model.modules()
        )

    limit_stacks(monkeypatch, fits)
    work([folder.path for folder in together], "cpu")
    failure = together[2].failure()
    assert failure is not None
    assert (failure.kind, failure.detail) == ("out-of-memory", "")
    assert failure.message == (
        "OutOfMemory: not even one image at a time fits into the memory of cpu; use a device with "
        "more memory, or a smaller image_size_px"
    )
    assert [outcome(folder) for folder in together[:2]] == [outcome(folder) for folder in alone]


def test_memory_that_is_short_at_the_last_evaluation(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone,) = trained_alone(plan_run, "translandseg")
    folder = plan_run("translandseg", *ONE_EPOCH)
    calls: list[int] = []

    def fits(models: Sequence[SegmentationModel], images: Tensor) -> bool:
        calls.append(len(images))
        # One to measure, three steps, two batches to validate.
        return len(calls) <= 6 or len(images) <= 2

    limit_stacks(monkeypatch, fits)
    work([folder.path], "cpu")
    assert noted(folder) == [("evaluation", 2, 4, 3)]
    assert folder.weights_path.read_bytes() == alone.weights_path.read_bytes()
    assert finished(folder).metrics == pytest.approx(finished(alone).metrics)


@pytest.mark.usefixtures("taking_turns")
def test_a_step_that_is_repeated_draws_the_same_numbers(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is short on the way back, when the model has drawn its numbers already."""
    folder = plan_run("translandseg", *ONE_EPOCH)
    forward, drawn = Segmenter.forward, []

    def fail(grad: Tensor) -> Tensor:
        raise out_of_memory()

    def random(self: Segmenter, images: Tensor) -> Tensor:
        if self.training:
            drawn.append(torch.rand(()).item())
        logits = forward(self, images)
        if self.training and len(images) > 2:
            logits.register_hook(fail)
        return logits

    monkeypatch.setattr(Segmenter, "forward", random)
    work([folder.path], "cpu")
    assert noted(folder) == [("training", 2, 4, 0)]
    # Whole, in two parts, and these once more on the way back, the last one first.
    whole, first, second, *back = drawn[:5]
    assert whole == first != second
    assert back == [second, first]


def test_no_memory_for_the_optimiser_is_the_failure_of_its_run(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone,) = trained_alone(plan_run, VARIANTS[0])
    folders = [plan_run(name, *ONE_EPOCH) for name in VARIANTS[:2]]
    step = TrainingRun.step

    def short(self: TrainingRun, loss: float, images: int) -> None:
        if self.folder.key == folders[1].key:
            raise out_of_memory()
        step(self, loss, images)

    monkeypatch.setattr(TrainingRun, "step", short)
    work([folder.path for folder in folders], "cpu")
    failure = folders[1].failure()
    assert failure is not None
    assert failure.kind == "out-of-memory"
    assert failure.message == (
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.; use a device with more "
        "memory, or end what else uses it"
    )
    assert outcome(folders[0]) == outcome(alone)


def test_errors_that_say_that_memory_is_short() -> None:
    # More than any address space has: the allocator's own words.
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60)
    texts = [
        "CUDA error: out of memory",
        "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 1 MB)",
    ]
    short = [
        refused.value,
        out_of_memory(),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        *map(RuntimeError, texts),
    ]
    assert all(map(is_out_of_memory, short))
    others = [RuntimeError("out of luck"), ValueError("out of memory"), OSError(errno.ENOSPC, "")]
    assert not any(map(is_out_of_memory, others))
