"""``ablate gc``: what no sweep needs is listed, and removed only when told."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ablate.errors import BadInput, StoreError
from ablate.plan import create_run_folders
from ablate.runs import Attempt, Failure, Store
from ablate.runs.data_check import data_check_id
from ablate.runs.drivers import driving, no_new_drivers
from ablate.spec.split import GroupsSplit
from ablate.study import find_leftovers, remove_leftovers
from ablate.study.leftovers import Leftovers
from cli.command import ablate
from executors.works import finish
from tiny_sweeps import tiny_study

OTHER_DIGEST, OLD_KEY = "e" * 64, "0123456789abcdef"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with two runs of Table IV, the first done, the second failed; nothing is in vain."""
    opened = Store(tmp_path / "store")
    planned = tiny_study(opened.root).plan().plan
    create_run_folders(planned, opened)
    first, second = (run.folder for run in planned.runs)
    finish(first, "cpu")
    (first.path / "attempts").unlink()
    second.begin_attempt(
        Attempt(
            started=5.0, seen=9.0, device="cpu", device_name="A", shared_by=1, log="worker-1.log"
        )
    )
    second.write_failure(Failure(kind="error", message="no memory", detail="", time=9.0))
    second.save_checkpoint(1, b"state")
    context = planned.context
    write(opened.root / "logs" / "worker-1.log")
    write(opened.cache_path / f"{context.data.digest}-64px" / "images.npy")
    write(opened.cache_path / "digests.json")
    write(opened.data_files_path(context.data.digest))
    named = data_check_id(context.data.digest, context.protocol.split)
    write(opened.root / "data-checks" / f"{named}.json")
    opened.remember_source(context.data.digest, tmp_path)
    return opened


def write(path: Path, content: str = "x" * 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def litter(store: Store) -> set[Path]:
    """Leaves one of each kind; returns what is to be found."""
    first, second = sorted(store.runs(), key=lambda run: not run.has_result())
    old = store.root / "runs" / OLD_KEY
    write(old / "spec.json")
    write(old / "weights.safetensors", "x" * 1000)
    return {
        old,
        write(first.path / "checkpoint-000000001.pt"),
        write(first.path / "checkpoint-000000001.sha256"),
        write(second.path / "damaged-1" / "result.json").parent,
        write(second.path / ".123-0123abcd.tmp"),
        write(store.cache_path / f"{OTHER_DIGEST}-64px" / "images.npy").parent,
        write(store.cache_path / f"{OTHER_DIGEST}-32px.partial" / "images.npy").parent,
        write(store.root / "sources" / f"{OTHER_DIGEST}.json"),
        write(store.data_files_path(OTHER_DIGEST)),
        write(store.root / "data-checks" / f"{OLD_KEY}.json"),
        write(store.logs_path / "worker-2.log"),
        write(store.drivers_path / "0000000000001-0123abcd.json"),
        write(store.root / "sweeps" / "damaged-1" / "mine-01234567.json").parent,
        write(store.root / "runs" / ".removed-fedcba9876543210" / "spec.json").parent,
    }


def paths(found: Leftovers) -> set[Path]:
    return {each.path for each in found.found}


def everything(store: Store) -> set[Path]:
    return set(store.root.rglob("*"))


def test_what_sweeps_need_is_not_listed(store: Store) -> None:
    assert find_leftovers(store.root) == Leftovers((), ())


def test_one_of_each_kind_is_listed_and_nothing_is_touched(store: Store) -> None:
    expected = litter(store)
    before = everything(store)
    found = find_leftovers(store.root)
    assert paths(found) == expected
    assert found.notes == ()
    assert found.size_bytes >= 1000
    assert everything(store) == before


def test_all_that_is_listed_is_removed_and_nothing_else(store: Store) -> None:
    kept = everything(store)
    expected = litter(store)
    removed = remove_leftovers(store.root)
    assert paths(removed) == expected
    assert not any(os.path.lexists(path) for path in expected)
    assert kept <= everything(store)
    assert find_leftovers(store.root) == Leftovers((), ())


@pytest.mark.parametrize("call", [1, 3, 6])
def test_a_kill_in_the_middle_is_gone_on_from(
    store: Store, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    kept, runs = everything(store), store.runs()
    states = [run.state() for run in runs]
    litter(store)
    calls, rmtree = 0, shutil.rmtree

    def killed(path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        rmtree(path)

    with monkeypatch.context() as patched:
        patched.setattr("ablate.study.leftovers.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove_leftovers(store.root)
    assert [run.state() for run in runs] == states
    remove_leftovers(store.root)
    assert [run.state() for run in runs] == states
    assert kept <= everything(store)
    assert find_leftovers(store.root).found == ()


def test_what_is_claimed_stays(store: Store) -> None:
    litter(store)
    claimed = store.run(OLD_KEY)
    with claimed.claim():
        assert claimed.path not in paths(find_leftovers(store.root))
        remove_leftovers(store.root)
        assert (claimed.path / "weights.safetensors").exists()
    remove_leftovers(store.root)
    assert not claimed.path.exists()


def test_while_a_process_trains_what_it_may_use_stays(store: Store) -> None:
    litter(store)
    with driving(store.drivers_path, "mine-01234567", "mine"):
        found = find_leftovers(store.root)
        assert {each.kind for each in found.found} == {"checkpoint", "damaged", "temporary"}
        assert found.notes == ("a process trains here: what sweeps may name is kept meanwhile",)


def test_a_removal_that_hangs_hangs_no_start(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.runs.drivers._PATIENCE_S", 0.1)
    with (
        no_new_drivers(store.drivers_path),
        pytest.raises(StoreError, match="end the `ablate gc` that does, and try again"),
        driving(store.drivers_path, "mine-01234567", "mine"),
    ):
        pass


def test_where_a_record_cannot_be_read_its_runs_stay(store: Store) -> None:
    litter(store)
    write(store.root / "sweeps" / "mine-01234567.json", "{")
    found = find_leftovers(store.root)
    assert not {"run", "cache", "source", "log"} & {each.kind for each in found.found}
    assert "what sweeps may name is kept" in found.notes[-1]


def test_a_cache_stays_where_files_say_what_the_split_is(store: Store) -> None:
    (record,) = store.sweep_records()
    split = GroupsSplit(kind="groups", pattern="(?P<group>.*)", validation_share=0.5, seed=0)
    protocol = record.context.protocol.model_copy(update={"split": split})
    context = record.context.model_copy(update={"protocol": protocol})
    store.add_record(record.model_copy(update={"context": context, "runs": ()}))
    expected = litter(store)
    # The digest of its data is not that of the images alone.
    kept = {path for path in expected if path.name == f"{OTHER_DIGEST}-64px"}
    assert paths(find_leftovers(store.root)) == expected - kept


def test_links_are_not_followed(store: Store, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / f"{OTHER_DIGEST}-64px" / "images.npy")
    linked = store.root / "runs" / OLD_KEY
    linked.symlink_to(outside.parent)
    log = store.logs_path / "linked.log"
    log.symlink_to(outside)
    remove_leftovers(store.root)
    assert linked.is_symlink()
    assert not log.is_symlink()
    assert outside.exists()


def test_only_what_is_old_enough_is_listed(store: Store) -> None:
    litter(store)
    assert find_leftovers(store.root, 1).found == ()
    old = store.root / "runs" / OLD_KEY
    os.utime(old, (1.0, 1.0))
    assert paths(find_leftovers(store.root, 1)) == {old}


def test_bad_input_is_one_line(tmp_path: Path, store: Store) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        remove_leftovers(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="-1 days are out of range; give 0 to 36500"):
        find_leftovers(store.root, -1)
    assert not (tmp_path / "nowhere").exists()


def test_the_command_lists_and_removes(tmp_path: Path, store: Store) -> None:
    expected = litter(store)
    listed = ablate(tmp_path, "gc", "--store", "store")
    assert listed.returncode == 0, listed.stderr
    assert f"{len(expected)} found, 1." in listed.stdout
    assert "`ablate gc --remove` removes them" in listed.stdout
    assert all(os.path.lexists(path) for path in expected)
    done = ablate(tmp_path, "gc", "--store", "store", "--remove", "--format", "json")
    found = json.loads(done.stdout)
    assert {Path(each["path"]) for each in found["found"]} == expected
    assert found["removed"] is True
    again = ablate(tmp_path, "gc", "--store", "store")
    assert again.stdout == "nothing to remove in store\n"


# MLflow -----------------------------------------------------------------------------------------


def test_only_artifacts_of_runs_that_mlflow_has_deleted_are_listed(store: Store) -> None:
    """Those of a run that the database does not know may be another database's."""
    live, deleted, unknown = (letter * 32 for letter in "abc")
    artifacts = store.mlflow_path / "artifacts"
    for name in (live, deleted, unknown):
        write(artifacts / name / "artifacts" / "weights.safetensors")
    with closing(sqlite3.connect(store.mlflow_path / "mlflow.db")) as database:
        database.execute("CREATE TABLE runs (run_uuid TEXT, lifecycle_stage TEXT)")
        rows = [(live, "active"), (deleted, "deleted"), ("../../runs", "deleted"), ("d", "deleted")]
        database.executemany("INSERT INTO runs VALUES (?, ?)", rows)
        database.commit()
    found = remove_leftovers(store.root)
    assert [(each.kind, each.path) for each in found.found] == [("mlflow", artifacts / deleted)]
    assert {path.name for path in artifacts.iterdir()} == {live, unknown}
    assert find_leftovers(store.root) == Leftovers((), ())


def test_the_database_that_mlflow_makes_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    tiny_study(store.root, variants=["translandseg"], track=True).run()
    before = paths(find_leftovers(store.root))
    folder = next(path for path in (store.mlflow_path / "artifacts").iterdir())
    with closing(sqlite3.connect(store.mlflow_path / "mlflow.db")) as database:
        database.execute(
            "UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ?", (folder.name,)
        )
        database.commit()
    assert paths(find_leftovers(store.root)) - before == {folder}


def test_a_database_that_cannot_be_read_is_named_and_its_artifacts_stay(store: Store) -> None:
    write(store.mlflow_path / "mlflow.db", "no database")
    write(store.mlflow_path / "artifacts" / ("a" * 32) / "spec.json")
    found = find_leftovers(store.root)
    assert found.found == ()
    assert [note.startswith(f"{store.mlflow_path}/mlflow.db cannot be") for note in found.notes]
    assert len(found.notes) == 1
