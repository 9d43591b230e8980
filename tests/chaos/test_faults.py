"""Each fault of the list, and the sweep is completed: it ends as if nothing had happened."""

import signal
from pathlib import Path

import pytest

from chaos.comparison import differences, leftovers, repeated_steps, trained
from chaos.faults import INTERRUPTED, KILLED, PAUSED, SIGNALLED, Fault
from chaos.session import Session, complete, session

Undisturbed = dict[str, object]


def disturb(folder: Path, fault: Fault) -> None:
    """Starts the sweep, lets the fault happen, and checks how the start ends."""
    with session(folder) as started:
        fault.happen(started, folder / "store")
        code = started.wait()
        assert code == fault.code, (code, started.output())
        assert "Traceback" not in started.output()
        assert started.leftovers() == []


def assert_same(folder: Path, undisturbed: Undisturbed) -> Session:
    """Completes the sweep; nothing was lost, repeated or left."""
    ended, store = complete(folder), folder / "store"
    assert set(trained(store).values()) == {1}
    assert differences(store, undisturbed) == []
    assert repeated_steps(store) == 0
    assert leftovers(store) + ended.temporary_files() == []
    return ended


def test_several_faults_one_after_the_other(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """The short form of the list below."""
    disturb(tmp_path, Fault((signal.SIGTERM, signal.SIGTERM), "group", "training", INTERRUPTED))
    disturb(tmp_path, Fault((signal.SIGKILL,), "worker", "start of a worker", 1))
    with session(tmp_path) as started:
        for whom in ("fork server", "tracker", "mirror", "fork server"):
            Fault((signal.SIGKILL,), whom, "at once", 0).happen(started, tmp_path / "store")
        assert started.wait() == 0, started.output()
        assert "Traceback" not in started.output()
    assert_same(tmp_path, undisturbed)


@pytest.mark.chaos
@pytest.mark.parametrize("fault", [*KILLED, *PAUSED, *SIGNALLED], ids=str)
def test_a_fault(tmp_path: Path, undisturbed: Undisturbed, fault: Fault) -> None:
    disturb(tmp_path, fault)
    assert_same(tmp_path, undisturbed)


@pytest.mark.chaos
def test_all_are_stopped_for_20_seconds(tmp_path: Path, undisturbed: Undisturbed) -> None:
    disturb(tmp_path, Fault((signal.SIGSTOP,), "group", "training", 0, stopped_s=20.0))
    assert_same(tmp_path, undisturbed)
