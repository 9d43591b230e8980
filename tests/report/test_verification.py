"""Every number of a run is recomputed, and what differs is named."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ablate.report.report_differences import report_differences
from ablate.report.store_view import StoreView
from ablate.report.verification import check_runs
from ablate.report.verification_model import Disagreement
from ablate.runs import State, Store
from ablate.spec import METRIC_NAMES
from report.pixels_on_disk import finish_with_pixels, write_pixels
from report.sweep_on_disk import SweepOnDisk
from report.tuning_on_disk import TuningOnDisk

ROW = "translandseg"


@pytest.fixture
def whole(table: SweepOnDisk) -> SweepOnDisk:
    """Two rows of two seeds that are done, one that failed, and rows that were never begun."""
    table.seeds = (0, 1)
    for seed in table.seeds:
        finish_with_pixels(table, ROW, seed)
        finish_with_pixels(table, "translandseg-1", seed, tp=90)
    table.fail("translandseg-2")
    return table


def edit(path: Path, **changes: Any) -> None:
    """Changes values of a JSON file; ``metrics__miou`` is ``miou`` inside ``metrics``."""
    content = json.loads(path.read_text())
    for place, value in changes.items():
        *parents, last = place.split("__")
        below = content
        for parent in parents:
            below = below[parent]
        below[last] = value
    path.write_text(json.dumps(content))


def found(table: SweepOnDisk) -> list[Disagreement]:
    """What differs besides digests, as where an editor has put them right."""
    disagreements = check_runs(table.start(), table.store).disagreements
    return [each for each in disagreements if each.what != "sha256"]


def digests_found(table: SweepOnDisk) -> list[str]:
    """The files whose digests differ."""
    disagreements = check_runs(table.start(), table.store).disagreements
    return [each.file for each in disagreements if each.what == "sha256"]


def test_what_training_leaves_agrees(whole: SweepOnDisk) -> None:
    checks = check_runs(whole.start(), whole.store)
    assert checks.disagreements == []
    assert (checks.runs, checks.runs_without_result) == (4, 10)
    assert (checks.weights, checks.weights_absent) == (4, 0)


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_an_edited_metric_is_named(whole: SweepOnDisk, metric: str) -> None:
    folder = whole.folder(ROW, 1)
    result = folder.path / "result.json"
    true = json.loads(result.read_text())["metrics"][metric]
    edit(result, **{f"metrics__{metric}": true + 1e-15})
    (only,) = found(whole)
    assert (only.row, only.seed, only.key) == ("TransLandSeg", 1, folder.key)
    assert (only.what, only.recomputed) == (f"metrics.{metric}", true)
    assert only.stored != true
    assert only.file == f"runs/{folder.key}/result.json"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"confusion__tp": 1}, "confusion.tp"),
        ({"confusion__tn": 1}, "confusion.tn"),
        ({"epoch": 3}, "epoch"),
        ({"epochs": 4}, "epochs"),
        ({"weights_sha256": "0" * 64}, "weights_sha256"),
        ({"key": "0" * 16}, "file"),
        ({"metrics__miou": float("nan")}, "file"),
    ],
)
def test_any_other_edit_of_a_result_is_named(
    whole: SweepOnDisk, change: dict[str, Any], what: str
) -> None:
    edit(whole.folder(ROW).path / "result.json", **change)
    assert [(each.what, each.seed) for each in found(whole)] == [(what, 0)]


@pytest.mark.parametrize("name", ["spec.json", "events.jsonl", "confusion.parquet"])
def test_an_edit_that_changes_no_number_is_named_by_its_digest(
    whole: SweepOnDisk, name: str
) -> None:
    folder = whole.folder(ROW)
    path = folder.path / name
    match name:
        case "spec.json":
            edit(path, provenance__commit="another")
        case "events.jsonl":
            path.write_text(path.read_text().replace("1700000000.0", "1700000001.0", 1))
        case _:
            names = [f"other-{number}" for number in range(69)]
            folder.write_confusions(names, folder.confusions().counts.tolist())
    assert found(whole) == []
    assert digests_found(whole) == [f"runs/{folder.key}/{name}"]


def test_an_edited_result_has_another_digest(whole: SweepOnDisk) -> None:
    """Seconds cannot be recomputed; that they were edited can be told."""
    folder = whole.folder(ROW)
    edit(folder.path / "result.json", train_s=1.0)
    assert found(whole) == []
    assert digests_found(whole) == [f"runs/{folder.key}/result.json"]


def test_a_forged_name_leads_out_of_no_folder(whole: SweepOnDisk, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    names = ["../../../secret", "/etc/passwd", str(tmp_path / "secret"), "panels/../../secret"]
    result = whole.folder(ROW).path / "result.json"
    edit(result, files=dict.fromkeys(names, "0" * 64))
    assert digests_found(whole) == [f"runs/{whole.folder(ROW).key}/result.json"]


def test_a_result_of_an_older_version_has_no_digests(whole: SweepOnDisk) -> None:
    edit(whole.folder(ROW).path / "result.json", files={}, sha256=None)
    assert digests_found(whole) == []


def test_other_weights_are_named(whole: SweepOnDisk) -> None:
    whole.folder(ROW).weights_path.write_bytes(b"others")
    assert [each.what for each in found(whole)] == ["weights_sha256"]


@pytest.mark.parametrize("kind", ["link", "FIFO", "folder"])
def test_weights_that_are_no_file_are_named(whole: SweepOnDisk, kind: str, tmp_path: Path) -> None:
    """A store may come from others: nothing is followed, and nothing waits for a writer."""
    path = whole.folder(ROW).weights_path
    path.rename(tmp_path / "copy")
    match kind:
        case "link":
            path.symlink_to(tmp_path / "copy")
        case "FIFO":
            os.mkfifo(path)
        case _:
            path.mkdir()
    (only,) = found(whole)
    assert f"it is a {kind}, not a file" in str(only.note)


def test_weights_that_are_not_there_are_counted(whole: SweepOnDisk) -> None:
    whole.folder(ROW).weights_path.unlink()
    checks = check_runs(whole.start(), whole.store)
    assert (checks.disagreements, checks.weights, checks.weights_absent) == ([], 3, 1)


def test_an_image_less_is_named(whole: SweepOnDisk) -> None:
    """An edit that leaves pixels and scores in harmony shows by the number of images."""
    folder = whole.folder(ROW)
    write_pixels(folder, [(1, 1, 1, 1)] * 68)
    named = {each.what: (each.stored, each.recomputed) for each in found(whole)}
    assert named["images"] == (69, 68)
    assert "metrics.miou" in named


@pytest.mark.parametrize("name", ["spec.json", "result.json", "events.jsonl", "confusion.parquet"])
def test_a_damaged_file_is_named_and_the_others_are_checked(whole: SweepOnDisk, name: str) -> None:
    folder = whole.folder(ROW)
    (folder.path / name).write_bytes(b"{]\n")
    edit(whole.folder("translandseg-1").path / "result.json", metrics__miou=0.5)
    disagreements = found(whole)
    damaged = [each for each in disagreements if each.key == folder.key]
    assert {each.file for each in damaged} == {f"runs/{folder.key}/{name}"}
    assert all(each.note for each in damaged)
    assert set(digests_found(whole)) - {f"runs/{folder.key}/{name}"} == {
        f"runs/{whole.folder('translandseg-1').key}/result.json"
    }
    assert [each.what for each in disagreements if each.key != folder.key] == ["metrics.miou"]


def test_a_damaged_attempt_is_named(whole: SweepOnDisk) -> None:
    folder = whole.folder(ROW)
    (folder.path / "attempts").mkdir()
    (folder.path / "attempts" / "1700000000000.json").write_text("{")
    (only,) = found(whole)
    assert f"runs/{folder.key}/attempts/1700000000000.json cannot be read" in str(only.note)


def test_a_missing_confusion_cannot_be_recomputed(whole: SweepOnDisk) -> None:
    whole.folder(ROW).confusion_path.unlink()
    (only,) = found(whole)
    assert "confusion.parquet is missing" in str(only.note)


def test_a_folder_in_the_place_of_another_is_named(whole: SweepOnDisk) -> None:
    target = whole.folder(ROW).path
    shutil.rmtree(target)
    shutil.copytree(whole.folder("translandseg-1").path, target)
    notes = [str(each.note) for each in found(whole) if each.file.endswith("spec.json")]
    assert any("is of run" in note for note in notes)


def test_a_record_that_points_to_another_run_is_named(whole: SweepOnDisk) -> None:
    """A row cannot borrow the numbers of another."""
    record = whole.start()
    other = whole.folder("translandseg-1").key
    runs = tuple(
        run.model_copy(update={"key": other}) if (run.name, run.seed) == (ROW, 0) else run
        for run in record.runs
    )
    checks = check_runs(record.model_copy(update={"runs": runs}), whole.store)
    assert ("key", other) in [(each.what, each.stored) for each in checks.disagreements]


def test_the_runs_of_a_tuning_are_checked(tuning: TuningOnDisk) -> None:
    """Its trials have no pixels here, which is named with the number of the trial."""
    rows = {each.row for each in found(tuning.sweep)}
    assert any(row and ", trial 1" in row for row in rows)
    assert any(row and ", tuned" in row for row in rows)


# The report -------------------------------------------------------------------------------


def test_a_report_of_recomputed_values_is_the_same(whole: SweepOnDisk) -> None:
    stored = whole.report()
    whole.store = StoreView(whole.root, recomputed=True)
    count, differences = report_differences(stored, whole.report())
    assert differences == []
    assert count > 100


def test_an_edited_score_shows_in_the_report_where_it_is_used(whole: SweepOnDisk) -> None:
    edit(whole.folder(ROW, 1).path / "result.json", metrics__miou=0.99)
    stored = whole.report()
    whole.store = StoreView(whole.root, recomputed=True)
    _, differences = report_differences(stored, whole.report())
    key = whole.folder(ROW, 1).key
    places = {each.place: (each.stored, each.recomputed) for each in differences}
    assert places[f"rows[translandseg].repeats[{key}].state"] == ("unreadable", "done")
    assert places["rows[translandseg].scores.miou.n"] == (1, 2)
    assert "rows[translandseg-1].delta.mean" in places


def test_a_view_keeps_the_recorded_state_of_runs_without_result(whole: SweepOnDisk) -> None:
    key = whole.begin("translandseg-3").key
    view = StoreView(whole.root, states={key: State.INTERRUPTED})
    assert view.run(key).state() is State.INTERRUPTED
    assert Store(whole.root).run(key).state() is State.NEW
    done = whole.folder(ROW).key
    assert StoreView(whole.root, states={done: State.FAILED}).run(done).state() is State.DONE
