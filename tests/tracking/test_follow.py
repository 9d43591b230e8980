import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from fake_store import conclude, fake_store, log_epochs, worked_on
from filelock import FileLock
from reading import all_runs, histories, nested, parents

from ablate.tracking import database, follow, syncing
from ablate.tracking.address import Address
from ablate.tracking.mirror import Mirror

LIMIT_S = 60


def wait_until(condition, what):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.1)


def mirrored_steps(fake):
    try:
        return {
            step for step, _, _ in histories(fake.store).get(("TransLandSeg", "epoch/miou"), [])
        }
    except AttributeError:  # the experiment is not there yet
        return set()


@contextmanager
def following(fake, log, uri=None, ids=None):
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    process = context.Process(
        target=follow, args=(fake.store.root, ids or [fake.record.id], uri, theirs, log)
    )
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        ours.close()
        process.kill()
        process.join()


@pytest.fixture
def fake(tmp_path, with_database):
    fake = fake_store(tmp_path / "store", names=["translandseg"])
    with_database(fake.store)
    fake.begin(0)
    return fake


def test_a_sweep_is_mirrored_while_it_runs(fake, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "DEBUG")
    monkeypatch.setenv("PYTHONWARNINGS", "always")
    log = tmp_path / "logs" / "mlflow.log"
    folder = fake.folder(0)
    # What this process's own client says as it opens the database.
    assert mirrored_steps(fake) == set()
    capfd.readouterr()
    with following(fake, log) as (process, stop):
        with worked_on(folder):
            log_epochs(folder, 1, 2)
            wait_until(lambda: mirrored_steps(fake) == {1, 2}, "two epochs")
            (run,), (parent,) = nested(fake.store).values(), parents(fake.store)
            assert (run.info.status, parent.info.status) == ("RUNNING", "RUNNING")
            log_epochs(folder, 3, 4)
            wait_until(lambda: mirrored_steps(fake) == {1, 2, 3, 4}, "two more")
            os.kill(process.pid, signal.SIGINT)  # not its business
            conclude(folder)
        stop.close()
        process.join(LIMIT_S)
        assert process.exitcode == 0
    (run,), (parent,) = nested(fake.store).values(), parents(fake.store)
    assert (run.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    assert "final/miou" in run.data.metrics
    assert log.read_text() == ""
    assert capfd.readouterr() == ("", "")


def test_what_ended_before_it_woke_is_mirrored_all_the_same(fake, tmp_path):
    log_epochs(fake.folder(0), 1, 4)
    conclude(fake.folder(0))
    with following(fake, tmp_path / "log") as (process, stop):
        stop.close()
        process.join(LIMIT_S)
        assert process.exitcode == 0
    (run,) = nested(fake.store).values()
    assert run.info.status == "FINISHED"


def test_sigterm_ends_it_after_a_last_look(fake, tmp_path):
    with following(fake, tmp_path / "log") as (process, _):
        wait_until(lambda: mirrored_runs(fake) == 2, "the runs")
        log_epochs(fake.folder(0), 1, 3)
        process.terminate()
        process.join(LIMIT_S)
        assert process.exitcode == 0
    assert mirrored_steps(fake) == {1, 2, 3}
    (parent,) = parents(fake.store)
    assert parent.info.status == "KILLED"


def mirrored_runs(fake):
    try:
        return len(all_runs(fake.store))
    except AttributeError:
        return 0


PARENT = """
import multiprocessing, sys, time
from pathlib import Path
from ablate.tracking import database, follow, syncing
from ablate.tracking.address import Address
from ablate.tracking.mirror import Mirror

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    root, record, log = sys.argv[1:]
    process = context.Process(target=follow, args=(Path(root), [record], None, theirs, Path(log)))
    process.start()
    print(process.pid, flush=True)
    time.sleep(600)
"""


def test_it_ends_when_its_parent_has_died(fake, tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, script, fake.store.root, fake.record.id, tmp_path / "log"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        child = int(parent.stdout.readline())
        wait_until(lambda: mirrored_runs(fake) == 2, "the runs")
        log_epochs(fake.folder(0), 1, 3)
    finally:
        parent.kill()
        parent.communicate()
    wait_until(lambda: not os.path.exists(f"/proc/{child}"), "its end")  # noqa: PTH110
    assert mirrored_steps(fake) == {1, 2, 3}


def test_it_waits_for_another_writer_and_for_a_database_that_can_be_read(fake, tmp_path):
    database = fake.store.mlflow_path / "mlflow.db"
    good = database.read_bytes()
    database.write_bytes(b"broken" * 1000)
    log = tmp_path / "log"
    lock = FileLock(fake.store.mlflow_path / "writer.lock")
    lock.acquire()
    with following(fake, log) as (process, stop):
        wait_until(log.exists, "its start")
        time.sleep(1.5)
        assert log.read_text() == ""
        lock.release()
        wait_until(lambda: "is not a usable MLflow database" in log.read_text(), "its complaint")
        database.write_bytes(good)
        wait_until(lambda: mirrored_runs(fake) == 2, "the runs")
        # Removed while it runs, the mirror is made again from the folders.
        database.unlink()
        wait_until(lambda: database.exists() and database.stat().st_size, "a new database")
        wait_until(lambda: mirrored_runs(fake) == 2, "the runs again")
        stop.close()
        process.join(LIMIT_S)
        assert process.exitcode == 0


class Ended:
    def requested(self):
        return True


def test_a_database_that_is_removed_during_the_last_update_is_made_again(
    fake, with_database, monkeypatch
):
    address, update = Address.of(fake.store, None), Mirror.update
    updates = []

    def update_and_remove(mirror, group, *, live):
        updates.append(group.id)
        result = update(mirror, group, live=live)
        if len(updates) == 1:
            address.database.unlink()
        return result

    def ensure(address):
        if made := not database.is_there(address.database):
            with_database(fake.store)
        return made

    monkeypatch.setattr(Mirror, "update", update_and_remove)
    monkeypatch.setattr(database, "ensure", ensure)
    conclude(fake.folder(0))
    behind = syncing._follow(fake.store, frozenset([fake.record.id]), address, Ended())
    assert (behind, len(updates)) == ("", 2)
    assert [run.info.status for run in nested(fake.store).values()] == ["FINISHED"]
