"""Locks end with their process; where there are none, nothing counts as held."""

import errno
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.runs import locks


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A file system that has no locks; what it says is the test's parameter."""
    number: int = request.param

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not locks.is_held(path)
    with locks.held(path) as first:
        assert first
        assert locks.is_held(path)
        with locks.held(path, 0) as second:
            assert not second
    assert not locks.is_held(path)


def test_a_lock_whose_file_goes_is_held_by_one_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another may have opened the file before it is removed: it is held until then."""
    path, inside, most, held = tmp_path / "lock", [], [], []
    unlink = Path.unlink

    def watched(removed: Path) -> None:
        held.append(locks.is_held(removed))
        unlink(removed)

    monkeypatch.setattr(Path, "unlink", watched)

    def enter(_: int) -> None:
        with locks.held(path, leaves_file=False) as is_mine:
            assert is_mine
            inside.append(None)
            time.sleep(0.001)
            most.append(len(inside))
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(40)))
    assert most == [1] * 40
    assert held == [True] * 40
    assert not path.exists()
    # Who does not get it leaves it.
    with locks.held(path), locks.held(path, 0, leaves_file=False) as is_mine:
        assert not is_mine
        assert path.exists()


def test_who_looks_needs_no_permission_to_write(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    path.chmod(0o444)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert locks.is_held(path)
    assert not locks.is_held(path)


def test_those_who_look_are_not_in_each_others_way(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not locks.is_held(path)


def test_a_file_of_a_shared_store_can_be_locked_by_the_group(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        with locks.held(tmp_path / "lock"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize(
    "without_locks", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP], indirect=True
)
@pytest.mark.usefixtures("without_locks")
def test_without_locks_nothing_is_held_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        pytest.raises(StoreError, match=r"without file locks .*; put the store on another disk"),
        locks.held(path),
    ):
        raise AssertionError("unreachable")
    # A mark that a killed process cannot remove would be one.
    assert [entry.stat().st_size for entry in tmp_path.iterdir()] == [0]
    assert not locks.is_held(path)
