"""Stores of several machines become one, or the reasons why not are named."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import BadInput, StoreError, StoresDiffer
from ablate.registry import Catalogue
from ablate.report import Report, build_report
from ablate.runs import DataCheck, PositiveShares, State, Store
from ablate.runs.attempts import Attempt
from ablate.study import merge_stores, verify_store
from fixture_stores import FOLDERS, copy_of
from report.pixels_on_disk import finish_with_pixels
from report.sweep_on_disk import SweepOnDisk, counts
from report.tuning_on_disk import TuningOnDisk

ROW, OTHER = "translandseg", "translandseg-1"


def sweep_in(root: Path, **words: Any) -> SweepOnDisk:
    words = {"seeds": (0, 1), "splits": (0, 1)} | words
    return SweepOnDisk(root, Catalogue().protocol("demo"), **words)


def start(table: SweepOnDisk, names: Sequence[str], splits: Sequence[int] = (0, 1)) -> None:
    """Starts only these rows of the sweep, as ``--variant`` does, on these splits."""
    runs = [run for run in table.runs if run.name in names and run.split in splits]
    table.store.record_sweep(table.sweep, table.context, runs)


def end(table: SweepOnDisk, name: str, splits: Sequence[int] = (0, 1)) -> None:
    for split in splits:
        for seed in table.seeds:
            finish_with_pixels(table, name, seed, tp=100 + 7 * seed + split, split=split)


def report_of(root: Path) -> Report:
    store = Store(root)
    record, *_ = store.sweep_records()
    return build_report(record, store, parameters=counts())


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Three machines: one row on both splits, and another row on one split each."""
    first, second, third = (sweep_in(tmp_path / name) for name in ("first", "second", "third"))
    end(first, ROW)
    start(first, [ROW])
    end(second, OTHER, (0,))
    second.fail("translandseg-2")
    start(second, [OTHER, "translandseg-2"], (0,))
    end(third, OTHER, (1,))
    start(third, [OTHER, "translandseg-2"], (1,))
    return [first.root, second.root, third.root]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "merged"


def test_the_report_is_that_of_one_store_that_ran_everything(
    parts: list[Path], target: Path, tmp_path: Path
) -> None:
    whole = sweep_in(tmp_path / "whole")
    end(whole, ROW)
    end(whole, OTHER)
    whole.fail("translandseg-2")
    start(whole, [ROW, OTHER, "translandseg-2"])
    done = merge_stores(parts, target)
    assert (len(done.copied), done.replaced, done.kept) == (9, (), 0)
    assert report_of(target) == report_of(whole.root)
    assert [each.state for each in verify_store(target)] == ["agrees"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_the_order_of_the_stores_plays_no_part(
    order: tuple[int, ...], parts: list[Path], target: Path, tmp_path: Path
) -> None:
    merge_stores(parts, target)
    again = tmp_path / "again"
    merge_stores([parts[place] for place in order], again)
    assert report_of(again) == report_of(target)
    assert files_of(again) == files_of(target)


def test_merged_twice_nothing_changes(parts: list[Path], target: Path) -> None:
    before = [files_of(part) for part in parts]
    merge_stores(parts, target)
    merged = files_of(target)
    done = merge_stores(parts, target)
    assert (done.copied, done.replaced, done.kept) == ((), (), 9)
    assert files_of(target) == merged
    assert [files_of(part) for part in parts] == before


def test_a_store_can_take_in_the_others(parts: list[Path], target: Path) -> None:
    merge_stores(parts, target)
    first, *others = parts
    merge_stores([first, *others], first)
    assert report_of(first) == report_of(target)


def test_what_is_further_stays(tmp_path: Path, target: Path) -> None:
    """Whichever store comes first: done before diverged, failed, interrupted and new."""
    one, other = (sweep_in(tmp_path / name, splits=(0,)) for name in ("one", "other"))
    end(one, ROW, (0,))
    other.fail(ROW)
    other.interrupt(ROW, 1)
    one.fail(OTHER, kind="diverged")
    other.fail(OTHER)
    one.begin(OTHER, 1)
    other.interrupt(OTHER, 1)
    for table in (one, other):
        start(table, [ROW, OTHER], (0,))
    merge_stores([other.root], target)
    done = merge_stores([one.root], target)
    assert (len(done.replaced), done.kept) == (3, 1)
    store = Store(target)
    states = {
        run: store.run(one.run(*run).key).state()
        for run in ((ROW, 0), (ROW, 1), (OTHER, 0), (OTHER, 1))
    }
    assert list(states.values()) == [State.DONE, State.DONE, State.DIVERGED, State.INTERRUPTED]
    assert next(store.run(one.run(OTHER, 1).key).load_checkpoints()) == b"state"


def test_the_cost_of_all_attempts_is_kept(tmp_path: Path, target: Path) -> None:
    one, other = (sweep_in(tmp_path / name, splits=(0,)) for name in ("one", "other"))
    for table, started in ((one, 1.8e9), (other, 1.7e9)):
        folder = table.begin(ROW)
        folder.begin_attempt(
            Attempt(
                started=started,
                seen=started + 9,
                device="cpu",
                device_name="A processor",
                shared_by=1,
                device_s=9.0,
            )
        )
    other.fail(ROW)
    end(one, ROW, (0,))
    for table in (one, other):
        start(table, [ROW], (0,))
    key = one.run(ROW).key
    merge_stores([other.root, one.root], target)
    attempts = Store(target).run(key).attempts()
    assert [(each.started, each.ending) for each in attempts] == [
        (1.7e9, "failed"),
        (1.8e9, "done"),
    ]
    merged = files_of(target)
    merge_stores([one.root, other.root], target)
    assert files_of(target) == merged


def tuned_in(root: Path, rows: Sequence[str], rates: Sequence[float] = (1e-3, 1e-2)) -> Store:
    """A store in which only these rows were tuned; no trial has ended well."""
    table = sweep_in(root, seeds=(0,), splits=(0,))
    tuning = TuningOnDisk(table)
    for row in rows:
        tuning.add_trials(row, dict.fromkeys(rates, "failed"))
    tuning.record()
    start(table, [], (0,))
    return table.store


def test_tunings_of_different_rows_become_one(tmp_path: Path, target: Path) -> None:
    first, second = tuned_in(tmp_path / "a", [ROW]), tuned_in(tmp_path / "b", [OTHER])
    merge_stores([first.root, second.root], target)
    (tuning,) = Store(target).tunings()
    assert [(each.run.name, each.number) for each in tuning.trials] == [
        (OTHER, 1),
        (OTHER, 2),
        (ROW, 1),
        (ROW, 2),
    ]
    assert len(Store(target).runs()) == 4


def test_tunings_with_other_settings_are_refused(tmp_path: Path, target: Path) -> None:
    first, second = tuned_in(tmp_path / "a", [ROW]), tuned_in(tmp_path / "b", [ROW], (1e-2, 1e-3))
    (problem,) = refused([first.root, second.root], target)
    assert "trial 1 of translandseg in table4-" in problem


def test_the_later_check_of_the_data_is_kept(
    tmp_path: Path, target: Path, parts: list[Path]
) -> None:
    context = sweep_in(parts[0]).context
    for part, checked in zip(parts, (2.0, 3.0, 1.0), strict=True):
        Store(part).record_data_check(
            DataCheck(
                label="data",
                digest=context.data.digest,
                split=context.protocol.split,
                image_size_px=128,
                images=228,
                train=159,
                validation=69,
                sizes=None,
                positive=PositiveShares(all=None, train=None, validation=None),
                findings=(),
                checked=checked,
            )
        )
    merge_stores(parts, target)
    kept = Store(target).data_check(context.data.digest, context.protocol.split)
    assert kept is not None
    assert kept.checked == 3.0


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_stores_of_every_engine_can_be_moved(folder: Path, tmp_path: Path, target: Path) -> None:
    store = copy_of(folder, tmp_path)
    merge_stores([store.root], target)
    assert len(verify_store(target)) == 3
    assert all(each.agrees for each in verify_store(target))


# Refusals ---------------------------------------------------------------------------------


def refused(stores: Sequence[Path], target: Path) -> list[str]:
    with pytest.raises(StoresDiffer) as caught:
        merge_stores(stores, target)
    assert not target.exists()
    return caught.value.problems


def test_one_run_with_two_results_is_refused_and_both_are_named(
    parts: list[Path], tmp_path: Path, target: Path
) -> None:
    other = sweep_in(tmp_path / "other")
    folder = finish_with_pixels(other, ROW, tp=300)
    start(other, [ROW])
    (problem,) = refused([*parts, other.root], target)
    first = parts[0] / "runs" / folder.key
    assert problem.startswith(f"{first} and {folder.path} are one run with two results: ")
    assert "confusion.tp is " in problem


def test_other_scores_on_the_test_part_are_another_result(tmp_path: Path, target: Path) -> None:
    roots = []
    for name, miou in (("one", 0.70), ("two", 0.71)):
        table = sweep_in(tmp_path / name)
        table.data = table.data.model_copy(update={"test": 3})
        finish_with_pixels(table, ROW, test_miou=miou)
        start(table, [ROW])
        roots.append(table.root)
    (problem,) = refused(roots, target)
    assert "are one run with two results: test.tp is " in problem


def test_the_same_result_of_another_machine_is_the_same(
    parts: list[Path], tmp_path: Path, target: Path
) -> None:
    other = sweep_in(tmp_path / "other")
    finish_with_pixels(other, ROW, tp=100, finished=1.8e9)
    start(other, [ROW])
    merge_stores([*parts, other.root], target)
    assert Store(target).run(other.run(ROW).key).result().finished < 1.8e9  # type: ignore[union-attr]


def test_other_engines_are_refused(parts: list[Path], target: Path) -> None:
    problems = refused([parts[0], FOLDERS[0]], target)
    (engines,) = [each for each in problems if "engine" in each]
    assert engines.startswith(f"table4 was run by engine 6 in {parts[0]} and by engine 5 in ")


def test_other_splits_of_one_number_are_refused(
    parts: list[Path], tmp_path: Path, target: Path
) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["numbered"][0]["split"]["seed"] = 77

    edit_record(parts[2], edit)
    assert any(each.startswith("split 1 of table4-") for each in refused(parts, target))


def edit_record(store: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    (path,) = store.glob("sweeps/table4-*.json")
    content = json.loads(path.read_text())
    edit(content)
    # As in a record of an older version.
    del content["sha256"]
    path.write_text(json.dumps(content))


def test_a_run_under_way_is_refused(parts: list[Path], target: Path) -> None:
    folder = sweep_in(parts[1]).begin("translandseg-3")
    with folder.claim() as is_mine:
        assert is_mine
        (problem,) = refused(parts, target)
    assert problem == f"{folder.path} is being worked on; wait until its sweep has ended"


@pytest.mark.parametrize(
    "name", ["result.json", "confusion.parquet", "events.jsonl", "weights.safetensors"]
)
def test_a_damaged_folder_is_refused(name: str, parts: list[Path], target: Path) -> None:
    folder = sweep_in(parts[0]).folder(ROW)
    (folder.path / name).write_bytes(b"{]\n")
    problems = refused(parts, target)
    assert problems
    assert all(str(folder.path) in each for each in problems)


def test_a_folder_without_a_spec_is_refused(parts: list[Path], target: Path) -> None:
    folder = sweep_in(parts[0]).folder(ROW)
    (folder.path / "spec.json").unlink()
    (problem,) = refused(parts, target)
    assert "spec.json is missing" in problem


def test_every_reason_is_named(parts: list[Path], target: Path) -> None:
    for part, name in ((parts[0], ROW), (parts[1], OTHER)):
        (sweep_in(part).folder(name).path / "result.json").write_text("{")
    assert len(refused(parts, target)) == 2


def test_a_link_is_not_followed(parts: list[Path], target: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    folder = sweep_in(parts[0]).folder(ROW)
    (folder.path / "notes.txt").symlink_to(secret)
    with pytest.raises(StoreError, match=r"notes\.txt is neither a file nor a folder"):
        merge_stores(parts, target)
    assert not Store(target).run(folder.key).path.exists()
    assert not list(target.glob("runs/.merge-*"))


def test_what_a_killed_merge_has_left_is_put_right(parts: list[Path], target: Path) -> None:
    merge_stores(parts, target)
    merged = files_of(target)
    key = sweep_in(parts[0]).run(ROW).key
    other = sweep_in(parts[0]).run(ROW, 1).key
    # Killed while one run was being copied, and another was between its old and its new folder.
    shutil.move(target / "runs" / key, target / "runs" / f".merge-new-{key}")
    shutil.move(target / "runs" / other, target / "runs" / f".merge-old-{other}")
    merge_stores(parts, target)
    assert files_of(target) == merged


def test_what_is_no_store_is_named(tmp_path: Path, target: Path, parts: list[Path]) -> None:
    with pytest.raises(BadInput, match=r"nowhere is not a store of ablate"):
        merge_stores([tmp_path / "nowhere"], target)
    with pytest.raises(BadInput, match="there is nothing to merge"):
        merge_stores([parts[0]], parts[0])
    assert not target.exists()


def test_two_merges_at_once_do_not_mix(parts: list[Path], target: Path) -> None:
    from filelock import FileLock

    merge_stores(parts[:1], target)
    assert not (target / ".merge.lock").exists()
    with FileLock(target / ".merge.lock"), pytest.raises(StoreError, match="is under way"):
        merge_stores(parts, target)
