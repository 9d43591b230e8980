"""Training through the folder: what runs, stops, kills and failures leave."""

import hashlib
import signal
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ablate.data import Prepared
from ablate.errors import STOP_SIGNALS, BadInput, Interrupted, WeightsError
from ablate.metrics import Confusion, scores
from ablate.models import build, load_weights
from ablate.models.devices import machine
from ablate.runs import Parameters, RunFolder, State, Store
from ablate.train import work
from ablate.train.meter import Meter
from ablate.train.results import Evaluated, publish, write_panel
from ablate.train.signals import stop_on_signals
from ablate.train.worker import checkpoint_of
from train.run_helpers import PlanRun, failure_of, finished, outcome, stop_after


def test_what_a_run_leaves(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg")
    work([folder.path], "cpu")
    result, events = finished(folder), folder.events()

    assert [(event.epoch, event.step) for event in events] == [(1, 4), (2, 8)]
    best = min(events, key=lambda event: event.metrics["val_loss"])
    assert result.epoch == best.epoch
    assert result.metrics == {name: best.metrics[name] for name in result.metrics}

    table = pd.read_parquet(folder.confusion_path)
    assert len(table) == 7
    assert (table[["tp", "fp", "fn", "tn"]].sum(axis=1) == 64 * 64).all()
    pooled = Confusion(*(int(table[name].sum()) for name in ("tp", "fp", "fn", "tn")))
    assert result.confusion == {name: getattr(pooled, name) for name in ("tp", "fp", "fn", "tn")}
    assert {"val_loss": result.metrics["val_loss"], **scores(pooled)} == result.metrics

    panels = sorted(folder.panels_path.iterdir())
    assert len(panels) == 4
    assert np.asarray(Image.open(panels[0])).shape == (256, 768, 3)

    assert not list(folder.path.glob("checkpoint-*"))
    assert folder.state() is State.DONE


def test_the_weights_file_holds_the_trained_parameters_and_nothing_else(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg")
    work([folder.path], "cpu")
    saved = load_file(folder.weights_path)
    spec = folder.spec()
    model = build(
        spec.variant,
        "vit_nano",
        image_size_px=64,
        weights=load_weights("vit_nano", None),
        seed=spec.seed,
    )
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert saved.keys() == trained.keys()
    assert sum(value.numel() for value in saved.values()) == finished(folder).parameters.trainable
    assert any(not torch.equal(saved[name], trained[name]) for name in saved)


def test_a_finished_run_is_not_trained_again(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg")
    work([folder.path], "cpu")
    before = (folder.path / "result.json").stat().st_mtime_ns
    work([folder.path], "cpu")
    assert (folder.path / "result.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("looks", [0, 2, 4, 5, 7])
def test_a_stopped_run_ends_bit_for_bit_as_an_undisturbed_one(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    undisturbed = plan_run("translandseg-1", store="undisturbed")
    work([undisturbed.path], "cpu")
    folder = plan_run("translandseg-1")
    with monkeypatch.context() as patch:
        stop_after(patch, looks)
        with pytest.raises(Interrupted):
            work([folder.path], "cpu")
    assert folder.state() is State.INTERRUPTED
    work([folder.path], "cpu")
    assert outcome(folder) == outcome(undisturbed)


def test_an_event_that_is_not_in_the_checkpoint_is_appended_once(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the event and its checkpoint."""
    undisturbed = plan_run("translandseg", store="undisturbed")
    work([undisturbed.path], "cpu")
    folder = plan_run("translandseg")

    def killed(self: RunFolder, step: int, content: bytes) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save_checkpoint", killed)
        with pytest.raises(SystemExit):
            work([folder.path], "cpu")
    assert len(folder.events()) == 1
    work([folder.path], "cpu")
    assert outcome(folder) == outcome(undisturbed)


def test_two_seeds_differ_and_one_seed_repeats(plan_run: PlanRun) -> None:
    first, other = plan_run("translandseg"), plan_run("translandseg", seed=1)
    again = plan_run("translandseg", store="again")
    for folder in (first, other, again):
        work([folder.path], "cpu")
    assert outcome(first) == outcome(again)
    losses = [[event.metrics["train_loss"] for event in each.events()] for each in (first, other)]
    assert losses[0] != losses[1]
    assert finished(first).weights_sha256 != finished(other).weights_sha256


def test_the_threshold_of_the_task_decides_what_is_predicted(plan_run: PlanRun) -> None:
    plain, eager = plan_run("translandseg"), plan_run("translandseg", "task.threshold=0.2")
    for folder in (plain, eager):
        work([folder.path], "cpu")
    assert finished(plain).weights_sha256 == finished(eager).weights_sha256
    predicted = [
        each.confusion["tp"] + each.confusion["fp"] for each in map(finished, (plain, eager))
    ]
    assert predicted[0] < predicted[1]
    # Events and result are counted with the same threshold.
    for folder in (plain, eager):
        (event,) = (each for each in folder.events() if each.epoch == finished(folder).epoch)
        assert event.metrics["positive_recall"] == finished(folder).metrics["positive_recall"]
    first, second = (
        np.asarray(Image.open(sorted(folder.panels_path.iterdir())[0])) for folder in (plain, eager)
    )
    assert not np.array_equal(first, second)


def test_a_diverging_run_leaves_its_cause(plan_run: PlanRun) -> None:
    wild = plan_run("translandseg", "optimizer.lr=1e30", "schedule.lr_min=1e30")
    work([wild.path], "cpu")
    assert wild.state() is State.DIVERGED
    assert failure_of(wild).startswith("Diverged: the ")
    assert "loss is nan" in failure_of(wild)


def test_a_raising_run_leaves_its_traceback_and_is_tried_again(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = plan_run("translandseg"), plan_run("translandseg-4")

    def broken(*args: object, **kwargs: object) -> None:
        monkeypatch.undo()
        raise RuntimeError("out of luck\nsecond line")

    monkeypatch.setattr("ablate.models.from_spec.build", broken)
    work([folder.path, other.path], "cpu")
    failure = folder.failure()
    assert failure is not None
    assert (failure.kind, failure.message) == ("error", "RuntimeError: out of luck")
    assert "in broken" in failure.detail
    assert (folder.state(), other.state()) == (State.FAILED, State.DONE)
    work([folder.path], "cpu")
    assert folder.state() is State.DONE
    assert folder.failure() is None


def test_a_run_of_another_process_is_left_to_it(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg")
    with folder.claim():
        thread_result: list[None] = []
        thread = threading.Thread(target=lambda: thread_result.append(work([folder.path], "cpu")))
        thread.start()
        thread.join()
        assert thread_result == [None]
        assert not folder.events()


def test_images_that_have_changed_since_are_refused(plan_run: PlanRun) -> None:
    planned = plan_run("translandseg").spec_file()
    data = planned.run.context.data.model_copy(update={"digest": "0" * 64})
    context = planned.run.context.model_copy(update={"data": data})
    run = planned.run.model_copy(update={"context": context})
    other = RunFolder(plan_run("translandseg").path.with_name(run.key))
    other.create(planned.model_copy(update={"run": run, "key": run.key}))
    work([other.path], "cpu")
    assert "no longer those that this run was planned for" in failure_of(other)


def test_weights_that_have_changed_since_are_refused(tmp_path: Path) -> None:
    store, file = Store(tmp_path / "store"), tmp_path / "mine.pth"
    file.write_bytes(b"planned")
    sha256 = hashlib.sha256(b"planned").hexdigest()
    store.remember_source(sha256, file)
    assert checkpoint_of(store, sha256) == file
    file.write_bytes(b"changed since")
    with pytest.raises(WeightsError, match="no longer the file that this run was planned for"):
        checkpoint_of(store, sha256)


def test_an_unknown_device_is_bad_input(plan_run: PlanRun) -> None:
    with pytest.raises(BadInput, match="device 'abacus' cannot be used"):
        work([plan_run("translandseg").path], "abacus")


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_requests_a_stop_and_its_handler_is_restored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_no_handler_is_installed() -> None:
    seen: list[bool] = []

    def look() -> None:
        with stop_on_signals() as stop:
            seen.append(stop.requested)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [False]


def test_any_name_of_an_image_can_be_left(tmp_path: Path) -> None:
    names = ("part/a", "h\udce4ng", "x" * 255, "A", "a")
    pixels = np.zeros((5, 8, 8, 3), np.uint8)
    prepared = Prepared(pixels, pixels[..., 0], names)
    folder = RunFolder(tmp_path)
    for index in range(5):
        write_panel(folder, prepared, index, np.zeros((8, 8), np.bool_))
    assert len(list(folder.panels_path.glob("*.png"))) == 5
    publish(
        folder,
        Evaluated(list(names), [Confusion(1, 2, 3, 4)] * 5),
        Evaluated([], []),
        epoch=0,
        epochs=0,
        steps=0,
        metrics={},
        trained={},
        parameters=Parameters(total=0, trainable=0, adapter=0, sites=0),
        machine=machine(torch.device("cpu"), "float32"),
        train_s=0.0,
        meter=Meter([folder], torch.device("cpu")),
    )
    written = pd.read_parquet(folder.confusion_path)["image"]
    assert list(written) == ["part/a", r"h\xe4ng", "x" * 255, "A", "a"]
