"""The same sweep started several times at once: each run is trained once, and each start ends."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from chaos.comparison import differences, leftovers, repeated_steps, trained
from chaos.session import run_words, session

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
def test_eight_starts_on_an_empty_store(tmp_path: Path, undisturbed: Undisturbed) -> None:
    start_at_once(tmp_path, 8, undisturbed)
