"""Sweeps on several splits: plan, run, resume, status and report."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate import Study
from ablate.data import pairs
from ablate.errors import BadInput
from ablate.runs import State, Store
from ablate.spec import Repeat
from ablate.study.status import sweep_status
from tiny_sweeps import OVERRIDES, tiny_study


def test_split_0_is_planned_as_ever_and_others_beside_it(tmp_path: Path) -> None:
    before = tiny_study(tmp_path, seeds=[0, 1]).plan()
    planned = tiny_study(tmp_path, seeds=[0, 1], splits=3).plan()
    runs = [run.spec for run in planned.plan.runs]
    own = [run.key for run in runs if run.split == 0]
    assert own == [run.spec.key for run in before.plan.runs]
    assert len({run.key for run in runs}) == len(runs) == 12
    assert [run.repeat for run in runs[:6]] == [
        Repeat(split, seed) for split in (0, 1, 2) for seed in (0, 1)
    ]
    seeds = [each.protocol.split.model_dump()["seed"] for each in planned.plan.contexts.values()]
    assert seeds == [seeds[0], seeds[0] + 1, seeds[0] + 2]
    assert {run.context.protocol.label for run in runs} == {before.plan.context.protocol.label}
    assert [row["split"] for row in planned.rows()[:6]] == [0, 0, 1, 1, 2, 2]


def test_runs_of_different_splits_are_not_trained_together(tmp_path: Path) -> None:
    planned = tiny_study(tmp_path, splits=2).plan()
    split_of = {run.folder.path: run.spec.split for run in planned.plan.runs}
    for cohort in planned.cohorts:
        assert len({split_of[folder] for folder in cohort.folders}) == 1


def test_what_is_only_evaluated_runs_once_on_each_split(tmp_path: Path) -> None:
    study = Study(
        "table1",
        protocol="demo",
        variants=["sam-points"],
        seeds=[0, 1],
        splits=2,
        store=tmp_path,
        devices=["cpu"],
    )
    runs = [run.spec for run in study.plan().plan.runs]
    assert [run.repeat for run in runs] == [Repeat(0, 0), Repeat(1, 0)]
    assert runs[0].key != runs[1].key


def test_a_sweep_on_two_splits_runs_and_is_reported_by_repeat(tmp_path: Path) -> None:
    assert tiny_study(tmp_path, seeds=[0]).run().pending == 2
    study = tiny_study(tmp_path, seeds=[0], splits=2)
    outcome = study.run()
    # The runs of split 0 are those of the first start.
    assert (outcome.pending, outcome.count(State.DONE)) == (2, 4)
    assert [run.split for run in outcome.runs] == [0, 1, 0, 1]
    (record,) = Store(tmp_path).sweep_records()
    assert record.splits == (0, 1)
    assert [record.run_spec(run).key for run in record.runs] == [run.key for run in record.runs]
    assert record.context_of(1).protocol.split != record.context.protocol.split
    report = study.report().report
    row = next(row for row in report.rows if row.name == "translandseg-4")
    assert [each.repeat for each in row.repeats] == [Repeat(0, 0), Repeat(1, 0)]
    assert row.delta is not None
    assert row.delta.n == 2
    names = {
        key: Store(tmp_path).run(key).confusions().names
        for key in (each.key for each in row.repeats)
        if key
    }
    assert len(set(names.values())) == 2
    (status,) = sweep_status(tmp_path)
    assert [each["split"] for each in status.runs] == [0, 1, 0, 1]


def test_images_are_digested_once_and_fitted_for_each_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, root = np.random.default_rng(0), tmp_path / "data"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(12):
        pixels = random.integers(0, 20 * number + 2, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"images/{number}.png")
        mask = (random.random((64, 64)) < 0.3).astype(np.uint8)
        Image.fromarray(mask).save(root / f"masks/{number}.png")
    calls, content = [], pairs.content
    monkeypatch.setattr(pairs, "content", lambda *files: calls.append(1) or content(*files))
    scale = "scale: {kind: percentiles, low: 0, high: 60}"
    study = tiny_study(
        tmp_path / "store",
        data=root,
        overrides=(*OVERRIDES, f"data={{kind: folders, images: images, masks: masks, {scale}}}"),
        variants=["translandseg"],
        splits=2,
    )
    planned = study.plan()
    assert len(calls) == 1
    assert len({each.data.digest for each in planned.plan.contexts.values()}) == 2
    # The workers find the images of both.
    outcome = study.run()
    assert [run.state for run in outcome.runs] == [State.DONE] * 2, outcome.failed


def test_a_later_start_with_fewer_splits_forgets_none(tmp_path: Path) -> None:
    tiny_study(tmp_path, variants=["translandseg"], splits=2).run()
    tiny_study(tmp_path, variants=["translandseg"]).run()
    (record,) = Store(tmp_path).sweep_records()
    assert (record.splits, [each.number for each in record.numbered]) == ((0, 1), [1])


def test_splits_that_are_given_cannot_be_multiplied(tmp_path: Path) -> None:
    overrides = (*OVERRIDES, "split={kind: lists}")
    study = tiny_study(tmp_path / "store", overrides=overrides, splits=2)
    with pytest.raises(BadInput, match="one split only; omit --splits"):
        study.plan()


@pytest.mark.parametrize("splits", [0, -1, 1001, 10**40])
def test_the_number_of_splits_is_checked(splits: int) -> None:
    with pytest.raises(BadInput, match=r"splits are out of range; give a number from 1 to 1000"):
        Study("table4", splits=splits)


def test_tuning_stays_on_the_protocols_own_split(tmp_path: Path) -> None:
    space = {"space": {"optimizer.lr": {"low": 1e-3, "high": 1e-2}}}
    sweep = {"extends": "table4", "splits": 3, "tune": space}
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps/mine.yaml").write_text(json.dumps(sweep))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        study = Study("mine", protocol="demo", overrides=OVERRIDES, store=tmp_path, devices=["cpu"])
        assert len(study.plan().plan.contexts) == 3
        assert list(study.plan_tuning(trials=2).sweep.plan.contexts) == [0]
