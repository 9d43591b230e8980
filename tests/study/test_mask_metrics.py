"""Metrics of masks that a task names: counted per image, kept, reported, verified, evaluated."""

import json
from pathlib import Path

import pytest

from ablate.metrics import Confusion, scores
from ablate.runs import Store
from ablate.spec import MASK_METRIC_NAMES
from ablate.study import Study, verify_store
from study.test_evaluate import write_images
from tiny_sweeps import OVERRIDES, tiny_study

ROW = "translandseg-4"
NAMED = "task.metrics=[miou, boundary_iou, small_object_recall]"
SPLIT = "split.test={share: 0.2, seed: 1}"
COUNTS = ("boundary_both", "boundary_any", "small_found", "small_all")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    words = {"overrides": (*OVERRIDES, NAMED, SPLIT), "variants": [ROW], "executor": "inline"}
    study = tiny_study(tmp_path_factory.mktemp("masks") / "store", seeds=(0,), **words)
    study.run()
    return study


def test_they_are_counted_per_image_and_kept(study: Study) -> None:
    (folder,) = Store(study.request.store).runs()
    confusions, result = folder.confusions(), folder.result()
    assert result is not None
    assert tuple(confusions.of_masks) == (
        "boundary_both",
        "boundary_any",
        "small_found",
        "small_all",
    )
    assert all(column.shape == (len(confusions.names),) for column in confusions.of_masks.values())
    assert result.confusion == confusions.pooled
    assert result.confusion["boundary_any"] > 0
    assert result.confusion["small_all"] > 0
    computed = scores(Confusion(**confusions.pooled))
    assert {name: result.metrics[name] for name in computed} == computed
    assert set(MASK_METRIC_NAMES) < computed.keys()
    assert result.test is not None
    assert result.test.confusion == folder.test_confusions().pooled
    assert set(MASK_METRIC_NAMES) < result.test.metrics.keys()
    assert not any(name in folder.events()[-1].metrics for name in MASK_METRIC_NAMES)


def test_every_table_has_them(study: Study) -> None:
    made = study.report()
    (row,) = (each for each in made.report.rows if each.name == ROW)
    value = row.scores["boundary_iou"].mean
    assert value is not None
    markdown = made.render("markdown")
    assert markdown.count("Boundary IoU") >= 2
    assert markdown.count("REC small") >= 2
    assert f"| {value:.2f}" in markdown
    assert "boundary_iou,boundary_iou_sd" in made.render("csv")
    assert "test_small_object_recall" in made.render("csv")
    for written in ("latex", "html"):
        assert "Boundary IoU" in made.render(written)
    explained = made.explain(ROW, "boundary_iou")
    assert explained.formula.startswith("boundary pixels of both")
    assert explained.repeats[0].pixels is not None
    assert explained.repeats[0].pixels.boundary_any


def test_they_are_verified(study: Study, tmp_path: Path) -> None:
    assert not verify_store(study.request.store)[0].disagreements
    (folder,) = Store(study.request.store).runs()
    path = folder.path / "result.json"
    original = path.read_text()
    document = json.loads(original)
    document["metrics"]["boundary_iou"] = 0.5
    path.write_text(json.dumps(document))
    try:
        found = [each.what for each in verify_store(study.request.store)[0].disagreements]
    finally:
        path.write_text(original)
    assert "metrics.boundary_iou" in found


def test_other_data_has_them_too(study: Study, tmp_path: Path) -> None:
    found = study.evaluate([write_images(tmp_path / "other", 9, 6, 80)])
    assert list(found.metrics)[-2:] == ["boundary_iou", "small_object_recall"]
    (row,) = found.data[0].scores.rows
    assert row.scores["boundary_iou"].mean is not None


def test_a_run_without_them_is_another_run(study: Study) -> None:
    (folder,) = Store(study.request.store).runs()
    spec = folder.spec()
    context = spec.context
    task = context.protocol.task.model_copy(update={"metrics": ("miou",)})
    protocol = context.protocol.model_copy(update={"task": task})
    plain = spec.model_copy(update={"context": context.model_copy(update={"protocol": protocol})})
    assert plain.key != spec.key
    for field, value in (("boundary_width", 0.1), ("small_object_px", 9)):
        other = task.model_copy(update={field: value})
        own = context.model_copy(update={"protocol": protocol.model_copy(update={"task": other})})
        assert spec.model_copy(update={"context": own}).key == plain.key
