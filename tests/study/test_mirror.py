"""The process that mirrors into MLflow: what its death, its silence and a stop mean."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate import tracking
from ablate.errors import Interrupted
from ablate.runs import Store
from ablate.study.mirror import mirror
from executors.works import until
from study import mirrors


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def stands_in(patched: pytest.MonkeyPatch, function: Callable[..., None]) -> None:
    patched.setattr(tracking, "follow", function)


def said(store: Store) -> list[str]:
    path = store.root / "said"
    return path.read_text().splitlines() if path.exists() else []


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def began(store: Store) -> int:
    """The process that has begun."""
    until(lambda: said(store))
    return int(said(store)[-1].removeprefix("began "))


def test_it_makes_a_last_pass(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stands_in(monkeypatch, mirrors.follow)
    with mirror(store, ["a"], None) as notes:
        first = began(store)
    assert said(store) == [f"began {first}", "ended"]
    assert notes == []


def test_one_that_died_is_replaced_for_the_last_pass(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands_in(monkeypatch, mirrors.follow)
    with mirror(store, ["a"], None) as notes:
        first = began(store)
        os.kill(first, signal.SIGKILL)
        until(lambda: not is_alive(first) or _is_dead(first))
    assert len(said(store)) == 3
    assert said(store)[-1] == "ended"
    assert notes == []


def _is_dead(pid: int) -> bool:
    """Whether it has ended, though its parent has not looked yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_one_that_dies_again_and_again_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    stands_in(monkeypatch, mirrors.die)
    with mirror(store, ["a"], None) as notes:
        pass
    assert notes == [
        "the process that mirrors into MLflow was ended by SIGKILL (out of memory?); `ablate sync` "
        "completes it"
    ]


def test_what_is_missing_in_the_end_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stands_in(monkeypatch, mirrors.complain)
    with mirror(store, ["a"], None) as notes:
        pass
    (note,) = notes
    assert note.startswith("MLflow is behind: the disk is full (see ")
    assert note.endswith("); `ablate sync` completes it")


@pytest.mark.parametrize("uri", [None, "http://127.0.0.1:9"])
def test_one_that_is_silent_is_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch, uri: str | None
) -> None:
    stands_in(monkeypatch, mirrors.hang)
    which = "_PATIENCE_S" if uri is None else "_SERVER_PATIENCE_S"
    monkeypatch.setattr(f"ablate.study.mirror.{which}", 0.2)
    with mirror(store, ["a"], uri) as notes:
        process = began(store)
    assert notes == ["MLflow is behind; `ablate sync` completes it"]
    assert not is_alive(process)


@pytest.mark.parametrize("stop", [Interrupted("stopped"), KeyboardInterrupt()])
def test_a_stop_says_what_is_behind_and_waits_for_less(
    store: Store, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    stands_in(monkeypatch, mirrors.hang)
    monkeypatch.setattr("ablate.study.mirror._STOP_PATIENCE_S", 0.2)
    with pytest.raises(type(stop)) as raised:
        _stop_while_it_mirrors(store, stop)
    assert raised.value.__notes__ == ["MLflow is behind; `ablate sync` completes it"]
    assert not is_alive(began(store))


def _stop_while_it_mirrors(store: Store, stop: BaseException) -> None:
    with mirror(store, ["a"], None):
        began(store)
        raise stop
