"""Trained rows are scored on other data sets, kept beside their runs, and set beside each other."""

import csv
import io
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ablate.data.generated import scene
from ablate.errors import BadInput, OutOfMemory, StoreClosed
from ablate.metrics import Confusion, scores
from ablate.predict import elsewhere, pool
from ablate.report import Report
from ablate.report.elsewhere_model import Elsewhere
from ablate.report.elsewhere_tables import elsewhere_tables
from ablate.report.elsewhere_writers import ELSEWHERE_WRITERS as WRITERS
from ablate.runs import Evaluation, RunFolder, Store
from ablate.spec import FoldersData, PercentileScale
from ablate.study import (
    cancel_drivers,
    find_leftovers,
    latest_start,
    merge_stores,
    remove_leftovers,
    report_sweep,
    verify_bundle,
    verify_store,
    write_bundle,
)
from ablate.study.evaluate import choose_rows, evaluate_rows
from cli.command import ablate
from tiny_sweeps import tiny_study

ROW, BASELINE = "translandseg-4", "translandseg"


def write_images(root: Path, seed: int, count: int, side: int = 64) -> Path:
    """A data set of generated scenes; those of seed 1 and 64 pixels are the training's own."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        image, mask = scene(seed, number, side)
        Image.fromarray(image).save(root / "images" / f"{number:02d}.png")
        pixels = np.asarray(mask, dtype=np.uint8) * 255
        Image.fromarray(pixels).save(root / "masks" / f"{number:02d}.png")
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows with two seeds, on scenes of which ``own`` is a copy; beside them other data."""
    root = tmp_path_factory.mktemp("evaluate")
    study = tiny_study(root / "store", seeds=(0, 1), executor="inline")
    study.run()
    write_images(root / "own", 1, 20)
    write_images(root / "other", 9, 6, 80)
    write_images(root / "north", 10, 4)
    return root


@pytest.fixture
def root(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path


def evaluate(root: Path, *names: str, rows: tuple[str, ...] = (), **words: Any) -> Elsewhere:
    chosen = choose_rows(root / "store", "table4", rows, words.pop("run", None))
    return evaluate_rows(chosen, [root / name for name in names], **words)


def evaluations(root: Path) -> dict[tuple[str, int, str], Evaluation]:
    """All that the store has, by row, seed and data set."""
    found = {}
    for folder in Store(root / "store").runs():
        for key in folder.evaluations.names():
            each = folder.evaluations.read(key)
            assert each is not None
            spec = folder.spec()
            found[spec.name, spec.seed, each.data.label] = each
    return found


def folder_of(root: Path, row: str, seed: int) -> RunFolder:
    return next(
        folder
        for folder in Store(root / "store").runs()
        if (folder.spec().name, folder.spec().seed) == (row, seed)
    )


def test_its_own_images_give_the_very_counts_of_the_run(root: Path) -> None:
    found = evaluate(root, "own", rows=(ROW,))
    evaluation = evaluations(root)[ROW, 1, "own"]
    own = folder_of(root, ROW, 1).confusions()
    places = [evaluation.names.index(f"{int(name.rpartition('-')[2]):02d}") for name in own.names]
    assert np.array_equal(evaluation.confusions.counts[places], own.counts)
    assert evaluation.counts["tp"] != (0,) * 20
    assert evaluation.trained_images == 13
    assert "own: 13 of its 20 images are training images of a row" in found.notes[0]


def test_the_table_has_means_over_runs_from_the_stored_pixels(root: Path) -> None:
    found = evaluate(root, "other", "north")
    kept = evaluations(root)
    assert len(kept) == 8
    assert not found.notes
    for place, (label, images) in enumerate((("other", 6), ("north", 4))):
        scored = found.data[place].scores
        assert (found.data[place].label, scored.images) == (label, images)
        for row in scored.rows:
            pooled = [kept[row.name, seed, label].confusion for seed in (0, 1)]
            values = [100 * scores(Confusion(**each))["miou"] for each in pooled]
            assert row.scores["miou"].mean == pytest.approx(statistics.fmean(values))
            assert row.scores["miou"].sd == pytest.approx(statistics.stdev(values))
            assert row.scores["miou"].n == 2
    by_name = {row.name: row for row in found.data[0].scores.rows}
    assert by_name[BASELINE].delta is None
    delta = by_name[ROW].delta
    means = [by_name[name].scores["miou"].mean or 0 for name in (ROW, BASELINE)]
    assert delta is not None
    assert delta.mean == pytest.approx(means[0] - means[1])
    assert delta.low is not None


def test_every_format_has_the_numbers(root: Path) -> None:
    found = evaluate(root, "other", rows=(ROW,))
    mean = found.data[0].scores.rows[0].scores["miou"].mean
    assert mean is not None
    assert f"{mean:.2f} ±" in WRITERS["markdown"](found)
    assert Elsewhere.model_validate_json(WRITERS["json"](found)) == found
    own, other = csv.DictReader(io.StringIO(WRITERS["csv"](found)))
    assert (own["part"], other["data"], other["n"]) == ("own validation images", "other", "2")
    assert float(other["miou"]) == pytest.approx(mean, abs=1e-6)
    assert all(own.values())
    assert all(other.values())
    by_data, of_other = elsewhere_tables(found)
    assert [column.key for column in by_data.columns] == ["label", "n", "own", "data-1"]
    assert "not comparable with the published values" in of_other.caption


def test_the_report_shows_them_and_a_bundle_leaves_them_out(root: Path) -> None:
    record, store = latest_start(Store(root / "store"), "table4")[0], Store(root / "store")
    assert report_sweep(record, store).report.elsewhere is None
    found = evaluate(root, "other", "north")
    made = report_sweep(record, store)
    kept = made.report.elsewhere
    assert kept is not None
    assert {each.label: each.scores for each in kept.data} == {
        each.label: each.scores for each in found.data
    }
    markdown = made.render("markdown")
    for heading in ("## Other data\n", "## north\n", "## other\n"):
        assert heading in markdown
    assert Report.model_validate_json(made.render("json")) == made.report
    assert "north (4 images)" in made.render("html")
    write_bundle(record, store, root / "bundle.zip")
    verified = verify_bundle(root / "bundle.zip")
    assert verified.state == "agrees", verified


def test_a_second_start_computes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(root, "other")
    monkeypatch.setattr(elsewhere, "evaluate_elsewhere", None)
    assert evaluate(root, "other") == first


def test_what_a_stop_leaves_is_not_computed_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, scored = elsewhere.evaluate_elsewhere, []

    def stopped(*words: Any) -> Evaluation:
        if len(scored) == 1:
            raise KeyboardInterrupt
        scored.append(words[1])
        return score(*words)

    monkeypatch.setattr(elsewhere, "evaluate_elsewhere", stopped)
    with pytest.raises(KeyboardInterrupt):
        evaluate(root, "other")
    assert len(evaluations(root)) == 1
    later: list[str] = []

    def noted(*words: Any) -> Evaluation:
        later.append(words[1])
        return score(*words)

    monkeypatch.setattr(elsewhere, "evaluate_elsewhere", noted)
    evaluate(root, "other")
    assert len(later) == 3
    assert scored[0] not in later


def short_of_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Memory for so many images at once; returns how many were tried each time."""
    compute, tried = pool.batch_logits, []

    def limited(models: Any, images: Any) -> torch.Tensor:
        tried.append(len(images))
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return compute(models, images)

    monkeypatch.setattr(pool, "batch_logits", limited)
    return tried


def test_short_memory_takes_fewer_images_at_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(root, "other", rows=(ROW,))
    whole = evaluations(root)
    for folder in Store(root / "store").runs():
        shutil.rmtree(folder.evaluations.path, ignore_errors=True)
    tried = short_of_memory(monkeypatch, 1)
    said: list[str] = []
    found = evaluate(root, "other", rows=(ROW,), announce=said.append)
    # Batches are of four, and found to be too large once, not by every run again.
    assert tried == [4, 2, *[1] * 12]
    assert said == [
        "cpu has too little memory for 4 images at once: 2 images at once from now on",
        "cpu has too little memory for 2 images at once: 1 image at once from now on",
    ]
    for name, each in evaluations(root).items():
        assert each.counts == whole[name].counts
        (noted,) = each.micro_batches
        assert (noted.purpose, noted.images, noted.batch) == ("evaluation", 1, 4)
    assert not any(each.micro_batches for each in whole.values())
    assert found.notes == (
        "other: Memory was short: evaluation computed 1 of a batch's 4 images at once "
        "(2 of 2 runs)",
    )
    assert not verify_store(root / "store")[0].disagreements


def test_memory_that_is_too_short_for_one_image_keeps_what_is_scored(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(root, "north", rows=(ROW,))
    before = evaluations(root)
    short_of_memory(monkeypatch, 0)
    with pytest.raises(OutOfMemory, match="one image of 64×64 pixels does not fit") as caught:
        evaluate(root, "north", "other", rows=(ROW,))
    assert "\n" not in str(caught.value)
    assert evaluations(root) == before


def test_what_an_evaluation_uses_is_not_collected_meanwhile(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, score = root / "store", elsewhere.evaluate_elsewhere
    notes: list[str] = []

    def collected(*words: Any) -> Evaluation:
        notes.extend(remove_leftovers(store).notes)
        assert cancel_drivers(store) == ()
        return score(*words)

    monkeypatch.setattr(elsewhere, "evaluate_elsewhere", collected)
    evaluate(root, "other", rows=(ROW,))
    said = "a process evaluates here: what sweeps may name is kept meanwhile"
    assert notes == [said] * 2
    assert [each.kind for each in find_leftovers(store).found] == ["cache"]
    assert [path.name for path in (store / "drivers").iterdir()] == [".drivers.lock"]


def test_what_is_all_scored_needs_no_place_in_the_store(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluate(root, "other", rows=(ROW,))
    monkeypatch.setattr("ablate.study.evaluate.evaluating", None)
    assert evaluate(root, "other", rows=(ROW,)) == first


def test_a_model_that_does_not_fit_is_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*words: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore.")

    monkeypatch.setattr("ablate.predict.loading.build_model", never)
    with pytest.raises(OutOfMemory, match="2 models do not fit into the memory of cpu; use a"):
        evaluate(root, "other", rows=(ROW,))


@pytest.mark.parametrize("damage", ["cut", "edited", "forged", "of-another-run"])
def test_a_damaged_one_is_set_aside_and_computed_anew(root: Path, damage: str) -> None:
    first = evaluate(root, "other", rows=(ROW,))
    folder, twin = folder_of(root, ROW, 0), folder_of(root, ROW, 1)
    (key,) = folder.evaluations.names()
    path = folder.evaluations.path_of(key)
    match damage:
        case "cut":
            path.write_bytes(path.read_bytes()[:-100])
        case "edited":
            text = path.read_text()
            path.write_text(text.replace('"trained_images":0', '"trained_images":6'))
            assert path.read_text() != text
        case "forged":
            found = folder.evaluations.read(key)
            assert found is not None
            path.unlink()
            metrics = found.metrics | {"miou": 0.99}
            folder.evaluations.publish(found.model_copy(update={"metrics": metrics}))
        case "of-another-run":
            (other,) = twin.evaluations.names()
            shutil.copy(twin.evaluations.path_of(other), path)
    assert verify_store(root / "store")[0].disagreements
    said: list[str] = []
    assert evaluate(root, "other", rows=(ROW,), announce=said.append) == first
    assert "is damaged, set aside and computed anew" in said[0]
    aside = folder.evaluations.path / "damaged-1"
    assert [each.name for each in aside.iterdir()] == [path.name]
    assert not verify_store(root / "store")[0].disagreements
    assert aside in {each.path for each in find_leftovers(root / "store").found}
    remove_leftovers(root / "store")
    assert not aside.exists()
    assert len(folder.evaluations.names()) == 1


def test_a_link_in_place_of_the_folder_is_refused(root: Path) -> None:
    folder = folder_of(root, ROW, 0)
    (root / "elsewhere").mkdir()
    folder.evaluations.path.symlink_to(root / "elsewhere")
    with pytest.raises(StoreClosed, match="is a link"):
        evaluate(root, "other", rows=(ROW,))
    assert not list((root / "elsewhere").iterdir())


def test_a_merge_takes_them_along(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "store", tmp_path / "second")
    evaluate(root, "other", rows=(ROW,))
    shutil.copytree(root / "store", tmp_path / "third")
    merge_stores([tmp_path / "second", tmp_path / "third"], tmp_path / "second")
    names = Store(tmp_path / "second").run(folder_of(root, ROW, 0).key).evaluations.names()
    assert names == folder_of(root, ROW, 0).evaluations.names() != []


def test_other_layouts_are_recognised_or_declared(root: Path) -> None:
    (root / "north" / "images").rename(root / "north" / "pictures")
    with pytest.raises(BadInput, match="north is not a data set that ablate knows"):
        evaluate(root, "north")
    layout = ["data={kind: folders, images: pictures, masks: masks}"]
    said: list[str] = []
    found = evaluate(root, "north", "other", overrides=layout, announce=said.append)
    assert [each.scores.images for each in found.data] == [4, 6]
    assert "other is laid out otherwise than is declared" in said[0]


def test_a_single_run_has_a_table(root: Path) -> None:
    key = folder_of(root, ROW, 1).key
    found = evaluate_rows(choose_rows(root / "store", None, (), key[:6]), [root / "other"])
    assert found.title == f"run {key}"
    (row,) = found.data[0].scores.rows
    assert (row.name, row.scores["miou"].n, row.scores["miou"].sd) == (ROW, 1, None)


def wide(root: Path) -> None:
    for path in (root / "other" / "images").iterdir():
        Image.fromarray(np.zeros((80, 80), np.uint16)).save(path)


def three_classes(root: Path) -> None:
    for path in (root / "other" / "masks").iterdir():
        Image.fromarray(np.arange(6400, dtype=np.uint8).reshape(80, 80) % 3).save(path)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"grid": None, "rows": (ROW,)}, "it is not said which models are meant"),
        ({"rows": ("nonsense",)}, "has no row 'nonsense'"),
        ({"rows": (ROW,), "run": "ab"}, "name two"),
        ({"run": "zz"}, "no run is called 'zz'"),
        ({"data": ("other", "nowhere")}, "there is no folder"),
        ({"data": ("other", "other")}, "holds the same images as other"),
        ({"overrides": ["epochs=3"]}, "says nothing of the data to score on"),
        ({"overrides": ["data.kind=nonsense"]}, "nonsense"),
        ({"checkpoint": Path("sam.pth")}, "omit the checkpoint"),
        ({"device": "cuda:77"}, "cuda:77"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_bad_words_start_nothing(root: Path, words: dict[str, Any], problem: str) -> None:
    grid, rows, run = words.pop("grid", "table4"), words.pop("rows", ()), words.pop("run", None)
    names = words.pop("data", ("other",))
    with pytest.raises(BadInput, match=problem) as caught:
        evaluate_rows(
            choose_rows(root / "store", grid, rows, run), [root / name for name in names], **words
        )
    assert "\n" not in str(caught.value)
    assert not evaluations(root)


def test_percentiles_are_those_of_the_training_images(root: Path) -> None:
    scale = PercentileScale(kind="percentiles", low=2, high=98)
    data = FoldersData(kind="folders", images="images", masks="masks", scale=scale)
    store = Store(root / "store")
    with pytest.raises(BadInput, match="scaled by percentiles, and the model was trained without"):
        elsewhere.open_elsewhere(data, root / "other", None, store)
    images = elsewhere.open_elsewhere(data, root / "other", ((0, 255),) * 3, store)
    plain = elsewhere.open_elsewhere(
        data.model_copy(update={"scale": None}), root / "other", None, store
    )
    assert np.array_equal(images.load(0)[0], plain.load(0)[0])
    darker = elsewhere.open_elsewhere(data, root / "other", ((0, 510),) * 3, store)
    halved = np.rint(plain.load(0)[0] / 2)
    assert np.array_equal(darker.load(0)[0], halved)
    assert darker.digest() != images.digest()


def no_positives(root: Path) -> None:
    for path in (root / "other" / "masks").iterdir():
        Image.fromarray(np.zeros((80, 80), np.uint8)).save(path)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [(wide, "16"), (three_classes, "mask"), (no_positives, "is positive")],
    ids=["bits", "classes", "no-positives"],
)
def test_data_that_would_be_misread_is_refused(root: Path, spoil: Any, problem: str) -> None:
    spoil(root)
    with pytest.raises(BadInput, match=problem):
        evaluate(root, "other")
    assert not evaluations(root)


def test_the_command_prints_the_table_and_nothing_else(root: Path) -> None:
    words = ("evaluate", "--grid", "table4", "--row", ROW, "--store", "store", "--device", "cpu")
    done = ablate(root, *words, "--data", "other", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"][0]["label"] == "other"
    assert done.stderr == ""
    done = ablate(root, *words, "--data", "other", "--format", "table")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no format of tables is called 'table'")
