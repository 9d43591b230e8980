"""A merge into a store in which others train, plan or remove: nothing of theirs is touched."""

import multiprocessing
import multiprocessing.synchronize
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablate.registry import Catalogue
from ablate.runs import RunFolder, State, Store, copying
from ablate.runs.attempts import Attempt
from ablate.runs.drivers import no_new_drivers
from ablate.study import find_leftovers, merge, merge_stores
from ablate.study.tuning_ledger import only_tuning
from report.pixels_on_disk import finish_with_pixels
from report.sweep_on_disk import SweepOnDisk
from report.tuning_on_disk import TuningOnDisk

ROW, OTHER = "translandseg", "translandseg-1"
PATIENCE_S = 60


def sweep_in(root: Path) -> SweepOnDisk:
    return SweepOnDisk(root, Catalogue().protocol("demo"), seeds=(0,))


@pytest.fixture
def source(tmp_path: Path) -> SweepOnDisk:
    """A store in which two rows are done."""
    table = sweep_in(tmp_path / "source")
    for name in (ROW, OTHER):
        finish_with_pixels(table, name)
    start(table)
    return table


@pytest.fixture
def target(tmp_path: Path) -> SweepOnDisk:
    """A store in which the same sweep was started; nothing is trained."""
    table = sweep_in(tmp_path / "target")
    for name in (ROW, OTHER):
        table.begin(name)
    start(table)
    return table


def start(table: SweepOnDisk) -> None:
    runs = [run for run in table.runs if run.name in (ROW, OTHER)]
    table.store.record_sweep(table.sweep, table.context, runs)


def states(table: SweepOnDisk) -> list[State]:
    store = Store(table.root)
    return [store.run(table.run(name).key).state() for name in (ROW, OTHER)]


def _claim(
    path: Path, held: multiprocessing.synchronize.Event, over: multiprocessing.synchronize.Event
) -> None:
    with RunFolder(path).claim() as is_mine:
        assert is_mine
        RunFolder(path).save_checkpoint(1, b"state")
        held.set()
        assert over.wait(PATIENCE_S)


@contextmanager
def worked_on(path: Path) -> Iterator[None]:
    """Another process works on a run while this is open."""
    context = multiprocessing.get_context("spawn")
    held, over = context.Event(), context.Event()
    process = context.Process(target=_claim, args=(path, held, over))
    process.start()
    try:
        assert held.wait(PATIENCE_S)
        yield
    finally:
        over.set()
        process.join()
        assert process.exitcode == 0


def test_a_run_that_another_process_works_on_is_left_to_it(
    source: SweepOnDisk, target: SweepOnDisk
) -> None:
    folder = target.folder(ROW)
    with worked_on(folder.path):
        done = merge_stores([source.root], target.root)
        assert done.left == (folder.key,)
        assert done.replaced == (target.run(OTHER).key,)
        assert states(target) == [State.RUNNING, State.DONE]
    # What it has saved is there, and the next merge brings what was left.
    assert states(target) == [State.INTERRUPTED, State.DONE]
    done = merge_stores([source.root], target.root)
    assert (done.left, done.replaced, done.kept) == ((), (folder.key,), 1)
    assert states(target) == [State.DONE, State.DONE]


def meanwhile(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Has something happen in the target after all stores were looked at."""
    looked = merge._record_problems

    def look(target: Store, sources: list[Store]) -> list[str]:
        change()
        return looked(target, sources)

    monkeypatch.setattr(merge, "_record_problems", look)


def test_what_begins_meanwhile_is_left_too(
    source: SweepOnDisk, target: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = target.folder(ROW).claim()
    meanwhile(monkeypatch, claim.__enter__)
    done = merge_stores([source.root], target.root)
    assert done.left == (target.run(ROW).key,)
    claim.__exit__(None, None, None)


def test_what_is_finished_meanwhile_stays(
    source: SweepOnDisk, target: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: finish_with_pixels(target, ROW, finished=1.8e9))
    done = merge_stores([source.root], target.root)
    assert (done.replaced, done.kept) == ((target.run(OTHER).key,), 1)
    result = target.folder(ROW).result()
    assert result is not None
    assert result.finished == 1.8e9


def test_a_folder_that_is_made_while_it_is_copied_is_claimed_first(
    source: SweepOnDisk, target: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that starts in the target plans a run that was not there."""
    folder = target.folder(ROW)
    shutil.rmtree(folder.path)
    copy = copying._copy

    def copy_slowly(path: Path, new: Path) -> None:
        copy(path, new)
        if new.name == f".merge-new-{folder.key}":
            target.begin(ROW)

    monkeypatch.setattr(copying, "_copy", copy_slowly)
    done = merge_stores([source.root], target.root)
    assert set(done.replaced) == {folder.key, target.run(OTHER).key}
    assert states(target) == [State.DONE, State.DONE]
    assert not list(target.root.glob("runs/.merge-*"))


def test_a_folder_that_is_made_in_the_gap_of_a_replacement_gives_way(
    source: SweepOnDisk, target: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, made = copying._renamed, []

    def rename_late(new: Path, path: Path) -> bool:
        if path.name not in made and not path.exists():
            made.append(path.name)
            path.mkdir()
            (path / "spec.json").write_bytes((new / "spec.json").read_bytes())
        return rename(new, path)

    monkeypatch.setattr(copying, "_renamed", rename_late)
    done = merge_stores([source.root], target.root)
    assert len(made) == len(done.replaced) == 2
    assert states(target) == [State.DONE, State.DONE]
    assert not list(target.root.glob("runs/.merge-*"))


def test_a_start_goes_on_where_a_merge_has_replaced_the_folder(
    source: SweepOnDisk, target: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it writes the spec, the folder that it writes into becomes another."""
    from ablate.runs import atomic

    folder, publish, calls = target.folder(ROW), atomic.publish, []
    spec = folder.spec_file()
    (folder.path / "spec.json").unlink()

    def publish_late(path: Path, content: bytes) -> bool:
        calls.append(path)
        if len(calls) == 1:
            shutil.rmtree(folder.path)
            shutil.copytree(source.folder(ROW).path, folder.path)
            raise FileNotFoundError(path)
        return publish(path, content)

    monkeypatch.setattr(atomic, "publish", publish_late)
    folder.create(spec)
    assert len(calls) == 2
    assert folder.state() is State.DONE


def test_what_attempts_have_cost_is_not_said_to_go_on(
    source: SweepOnDisk, target: SweepOnDisk
) -> None:
    """A killed attempt of the target, whose run the merge itself has claimed."""
    folder = target.folder(ROW)
    folder.begin_attempt(
        Attempt(started=1.7e9, seen=1.7e9, device="cpu", device_name="A processor", shared_by=1)
    )
    merge_stores([source.root], target.root)
    (attempt,) = [each for each in target.folder(ROW).attempts() if each.started == 1.7e9]
    assert attempt.ending == "killed"


# Beside what removes and what tunes ---------------------------------------------------------


def test_gc_keeps_what_a_merge_may_name(
    source: SweepOnDisk, target: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are copied before the record that names them."""
    shutil.rmtree(target.root / "sweeps")
    (target.root / "sweeps").mkdir()
    assert {each.kind for each in find_leftovers(target.root).found} == {"run"}
    seen = []
    meanwhile(monkeypatch, lambda: seen.append(find_leftovers(target.root)))
    merge_stores([source.root], target.root)
    (found,) = seen
    assert found.found == ()
    assert found.notes == ("a merge is under way: what sweeps may name is kept meanwhile",)
    assert find_leftovers(target.root).notes == ()


def test_a_merge_waits_for_a_removal_that_has_begun(
    source: SweepOnDisk, target: SweepOnDisk
) -> None:
    (target.root / "drivers").mkdir()
    merging = threading.Thread(target=merge_stores, args=([source.root], target.root))
    with no_new_drivers(target.root / "drivers"):
        merging.start()
        merging.join(0.5)
        assert merging.is_alive()
        # What the merge would else have found as far as it needs.
        shutil.rmtree(target.folder(ROW).path)
    merging.join(PATIENCE_S)
    assert states(target) == [State.DONE, State.DONE]


def test_a_tuning_under_way_keeps_its_record(tmp_path: Path) -> None:
    stores = []
    for root, row in ((tmp_path / "source", ROW), (tmp_path / "target", OTHER)):
        table = sweep_in(root)
        tuning = TuningOnDisk(table)
        tuning.add_trials(row, {1e-3: "failed"})
        tuning.record()
        start(table)
        stores.append(table.store)
    source, target = stores
    (before,) = target.tunings()
    with only_tuning(target, before.id):
        done = merge_stores([source.root], target.root)
    (note,) = done.notes
    assert note.startswith(f"the tuning {before.id} is left as it is: another process is tuning")
    assert target.tunings() == [before]
    assert merge_stores([source.root], target.root).notes == ()
    (after,) = target.tunings()
    assert {trial.run.name for trial in after.trials} == {ROW, OTHER}
