"""The same sweep started several times at once, or merged into: each start ends, as if alone."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from chaos.comparison import differences, leftovers, repeated_steps, trained
from chaos.session import complete, run_words, session

Undisturbed = dict[str, object]


def start_at_once(folder: Path, count: int, undisturbed: Undisturbed, *more: str) -> None:
    store = folder / "store"
    with ExitStack() as stack:
        starts = [
            stack.enter_context(session(folder / str(number), *run_words(store, *more)))
            for number in range(count)
        ]
        for start in starts:
            assert start.wait() == 0, start.output()
            assert "4 of 4 runs done" in start.output()
            assert "Traceback" not in start.output()
            assert start.leftovers() + start.temporary_files() == []
    assert set(trained(store).values()) == {1}
    # Not even begun by two.
    assert all(len(list(path.iterdir())) == 1 for path in store.glob("runs/*/attempts"))
    assert differences(store, undisturbed) == []
    assert repeated_steps(store) == 0
    assert leftovers(store) == []


def test_two_starts_on_an_empty_store(tmp_path: Path, undisturbed: Undisturbed) -> None:
    start_at_once(tmp_path, 2, undisturbed)


@pytest.mark.chaos
def test_merges_while_the_sweep_runs(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """From a store in which some of its runs are done: one repeat of each row."""
    source, folder = tmp_path / "source", tmp_path / "running"
    for each in (source, folder, tmp_path / "merging"):
        each.mkdir()
    complete(source, *run_words("store", "--no-track"), "--seeds", "1")
    target = folder / "store"
    words = ("merge", str(source / "store"), "--into", str(target))
    with session(folder, *run_words("store")) as started:
        assert started.until(lambda: list(target.glob("runs/*/spec.json")))
        merges = 0
        while not started.has_ended:
            complete(tmp_path / "merging", *words)
            merges += 1
        assert started.wait() == 0, started.output()
    assert merges > 1
    assert "4 of 4 runs done" in started.output()
    assert differences(target, undisturbed) == []
    assert repeated_steps(target) == 0
    assert leftovers(target) == []
    complete(tmp_path / "merging", "verify", "--store", str(target))


@pytest.mark.chaos
def test_eight_starts_on_an_empty_store(tmp_path: Path, undisturbed: Undisturbed) -> None:
    start_at_once(tmp_path, 8, undisturbed)
