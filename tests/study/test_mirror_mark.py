"""A mirror that a kill has left unfinished is completed by the same command."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from ablate import tracking
from ablate.errors import Interrupted
from ablate.executors.registry import run_cohorts
from ablate.runs import Store
from ablate.study import mirror_mark
from ablate.study.mirror import mirror
from study import mirrors
from tiny_sweeps import tiny_study


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_it_is_marked_until_it_is_completed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "follow", mirrors.follow)
    with mirror(store, ["a", "b"], None):
        assert mirror_mark.is_marked(store, ["a"], None)
        assert mirror_mark.is_marked(store, ["c", "b"], None)
        assert not mirror_mark.is_marked(store, ["a", "b"], "http://127.0.0.1:9")
    assert not mirror_mark.is_marked(store, ["a", "b"], None)


def test_one_that_dies_leaves_the_mark(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "follow", mirrors.die)
    with mirror(store, ["a"], None):
        pass
    assert mirror_mark.is_marked(store, ["a"], None)


def test_a_stop_leaves_the_mark(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "follow", mirrors.follow)
    with pytest.raises(Interrupted), mirror(store, ["a"], None):
        raise Interrupted("stopped")
    assert mirror_mark.is_marked(store, ["a"], None)


def test_a_mark_that_cannot_be_written_stops_nothing(store: Store) -> None:
    store.root.mkdir()
    store.mlflow_path.touch()
    mirror_mark.mark(store, ["a"], None)
    assert not mirror_mark.is_marked(store, ["a"], None)
    mirror_mark.clear(store, ["a"], None)


@pytest.mark.parametrize("is_killed", [True, False])
def test_with_nothing_left_to_train_the_same_command_completes_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    opened = []

    @contextmanager
    def noted(store: Store, ids: Sequence[str], uri: str | None) -> Iterator[list[str]]:
        opened.append(ids)
        mirror_mark.mark(store, ids, uri)
        yield []
        if not is_killed or len(opened) > 1:
            mirror_mark.clear(store, ids, uri)

    monkeypatch.setattr("ablate.study.run.mirror", noted)
    works = partial(run_cohorts, work="study.tuning_works:score")
    monkeypatch.setattr("ablate.study.run.run_cohorts", works)
    for name in ("warm_up", "check_rows", "count_for_report"):
        monkeypatch.setattr(f"ablate.study.run.{name}", lambda *_: None)
    study = tiny_study(store.root, executor="inline", track=True)
    study.run()
    assert study.run().pending == 0
    assert len(opened) == (2 if is_killed else 1)
    study.run()
    assert len(opened) == (2 if is_killed else 1)
