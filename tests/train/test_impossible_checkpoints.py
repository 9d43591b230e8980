"""A checkpoint that no training of the run can have written is refused like a damaged one."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ablate.errors import Interrupted
from ablate.runs import RunFolder
from ablate.train import work
from train.run_helpers import PlanRun, outcome, stop_after

Saved = dict[str, Any]
Edit = Callable[[Saved], Any]


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, object]:
    """The outcome of the one run that all of these are."""
    return {}


def newest(folder: RunFolder) -> tuple[int, Saved]:
    path = max(folder.path.glob("checkpoint-*.pt"))
    saved = torch.load(io.BytesIO(path.read_bytes()), weights_only=True)
    return int(path.stem.split("-")[1]), saved


def save(folder: RunFolder, step: int, saved: object) -> None:
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    folder.save_checkpoint(step, buffer.getvalue())


EDITS: dict[str, Edit] = {
    "epoch 99 of 2": lambda saved: saved.update(epoch=99),
    "epoch 0": lambda saved: saved.update(epoch=0),
    "step 10^9": lambda saved: saved.update(step=10**9),
    "step of the epoch 10^9": lambda saved: saved.update(step_in_epoch=10**9),
    "a negative step": lambda saved: saved.update(step_in_epoch=-1),
    "half an epoch": lambda saved: saved.update(epoch=1.5),
    "best of a later epoch": lambda saved: saved["best"].update(epoch=2),
    "no best": lambda saved: saved.update(best=None),
    "no sum": lambda saved: saved.update(loss_sum=float("nan")),
    "time runs backwards": lambda saved: saved.update(train_s=-1.0),
    "a schedule of another epoch": lambda saved: saved["schedule"].update(last_epoch=7),
    "another model": lambda saved: saved["trained"].popitem(),
    "another optimiser": lambda saved: saved["optimizer"]["param_groups"].clear(),
    "no image at once": lambda saved: saved.update(micro_batches=[{"images": 0}]),
    "a part is missing": lambda saved: saved.pop("rng"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_the_run_goes_on_from_the_older_one(
    plan_run: PlanRun,
    monkeypatch: pytest.MonkeyPatch,
    edit: Edit,
    undisturbed: dict[str, object],
) -> None:
    if not undisturbed:
        whole = plan_run("translandseg", store="undisturbed")
        work([whole.path], "cpu")
        undisturbed.update(outcome(whole))
    folder = plan_run("translandseg")
    with monkeypatch.context() as patch:
        stop_after(patch, 9)
        with pytest.raises(Interrupted):
            work([folder.path], "cpu")
    step, saved = newest(folder)
    assert saved["epoch"] == 2
    edit(saved)
    save(folder, step + 1, saved)
    work([folder.path], "cpu")
    assert outcome(folder) == undisturbed


@pytest.mark.parametrize("content", [{}, [], {"epoch": 1}, "text"])
def test_without_any_that_fits_it_starts_from_the_beginning(
    plan_run: PlanRun, content: object, undisturbed: dict[str, object]
) -> None:
    folder = plan_run("translandseg")
    save(folder, 3, content)
    (folder.path / "events.jsonl").write_text("{}\n")
    work([folder.path], "cpu")
    if undisturbed:
        assert outcome(folder) == undisturbed
    assert [event.epoch for event in folder.events()] == [1, 2]


def test_events_that_lack_an_epoch_begin_anew(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plan_run("translandseg")
    with monkeypatch.context() as patch:
        stop_after(patch, 9)
        with pytest.raises(Interrupted):
            work([folder.path], "cpu")
    (folder.path / "events.jsonl").unlink()
    work([folder.path], "cpu")
    assert [event.epoch for event in folder.events()] == [1, 2]


def test_events_that_were_changed_begin_anew(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, object]
) -> None:
    folder = plan_run("translandseg")
    with monkeypatch.context() as patch:
        stop_after(patch, 9)
        with pytest.raises(Interrupted):
            work([folder.path], "cpu")
    (first,) = folder.events()
    changed = first.model_copy(update={"metrics": first.metrics | {"val_loss": 0.5}})
    (folder.path / "events.jsonl").write_text(f"{changed.model_dump_json()}\n")
    work([folder.path], "cpu")
    assert folder.events()[0].metrics == first.metrics
    if undisturbed:
        assert outcome(folder) == undisturbed


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"no JSON",
        json.dumps({"confusions": [[1, 2, 3, 4]] * 99, "train_s": 0.0}).encode(),
        json.dumps({"confusions": [[1, 2, 3]], "train_s": 0.0}).encode(),
        json.dumps({"confusions": [[1, 2, 3, -4]], "train_s": 0.0}).encode(),
        json.dumps({"confusions": [[1, 2, 3, 0.5]], "train_s": 0.0}).encode(),
        b'{"confusions": [], "train_s": NaN}',
    ],
)
def test_an_evaluation_begins_anew(plan_run: PlanRun, content: bytes) -> None:
    undisturbed = plan_run("sam-points", store="undisturbed")
    folder = plan_run("sam-points")
    folder.save_checkpoint(3, content)
    for each in (undisturbed, folder):
        work([each.path], "cpu")
    assert outcome(folder) == outcome(undisturbed)
