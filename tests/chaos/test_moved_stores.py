"""A store is a folder: copied while it is written, moved, or reached by another path."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos.comparison import differences, leftovers, trained
from chaos.faults import INTERRUPTED, Fault
from chaos.phases import PHASES
from chaos.session import Session, complete, run_words, session

Undisturbed = dict[str, object]


# As people do it: files that vanish meanwhile are complained about.
CP = ("cp", "-a")
RSYNC = ("rsync", "-a")


def copied_while(
    folder: Path, phase: str, target: Path, *more: str, by: Sequence[str] = CP, passes: int = 1
) -> None:
    """Copies the store when its sweep is in a phase; the sweep itself ends undisturbed."""
    reached = next(each.is_reached for each in PHASES if each.name == phase)
    with session(folder, *run_words("store", *more)) as started:
        assert started.until(lambda: reached(started, folder / "store"))
        # With a slash, rsync copies what is in a folder; it makes the target's own.
        source = f"{folder / 'store'}/" if by == RSYNC else str(folder / "store")
        for _ in range(passes):
            subprocess.run([*by, source, str(target)], check=False, capture_output=True)
        assert started.wait() == 0, started.output()


def usable(folder: Path, *more: str) -> Session:
    """The commands that read a store, and then the sweep: all of them work."""
    complete(folder, "status", "--store", "store")
    complete(folder, "report", "--grid", "table4", "--store", "store", "--out", "report.md")
    return complete(folder, *run_words("store", *more))


def rebuild_mirror(folder: Path) -> None:
    """MLflow's database names the place where it was made: elsewhere `ablate run` advises this."""
    shutil.rmtree(folder / "store" / "mlflow")
    complete(folder, "sync", "--store", "store")


def same_runs(store: Path, undisturbed: Undisturbed) -> list[str]:
    """What differs, but for the mirror, which these sweeps do not have."""
    names = differences(store, undisturbed)
    return [name for name in names if not name.startswith("MLflow")]


def test_copied_during_the_training_and_then_moved(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    original, copied = tmp_path / "original", tmp_path / "copied"
    for folder in (original, copied, tmp_path / "elsewhere"):
        folder.mkdir()
    copied_while(original, "saving", tmp_path / "elsewhere" / "a copy", "--no-track")
    # What the copy says must not need the original; it is reached by a link.
    (original / "store").rename(original / "gone")
    (copied / "store").symlink_to(tmp_path / "elsewhere" / "a copy")
    usable(copied, "--no-track")
    for store in (original / "gone", copied / "store"):
        assert same_runs(store, undisturbed) == []
    assert leftovers(tmp_path / "elsewhere" / "a copy") == []


@pytest.mark.chaos
@pytest.mark.parametrize("phase", ["workers", "training", "saving", "publishing", "mirror"])
def test_copied_with_its_mirror(tmp_path: Path, undisturbed: Undisturbed, phase: str) -> None:
    original, copied = tmp_path / "original", tmp_path / "copied"
    original.mkdir()
    copied.mkdir()
    copied_while(original, phase, copied / "store")
    usable(copied)
    rebuild_mirror(copied)
    for folder in (original, copied):
        assert set(trained(folder / "store").values()) == {1}
        assert differences(folder / "store", undisturbed) == []
    assert leftovers(copied / "store") == []


@pytest.mark.chaos
@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
@pytest.mark.parametrize("phase", ["training", "saving", "publishing"])
@pytest.mark.parametrize("passes", [1, 3])
def test_copied_by_rsync(tmp_path: Path, undisturbed: Undisturbed, phase: str, passes: int) -> None:
    """Several passes: what was copied first is brought up to date, and what has gone stays."""
    original, copied = tmp_path / "original", tmp_path / "copied"
    original.mkdir()
    copied.mkdir()
    copied_while(original, phase, copied / "store", "--no-track", by=RSYNC, passes=passes)
    (original / "store").rename(original / "gone")
    usable(copied, "--no-track")
    for store in (original / "gone", copied / "store"):
        assert same_runs(store, undisturbed) == []
    assert leftovers(copied / "store") == []


@pytest.mark.chaos
def test_moved_between_two_starts(tmp_path: Path, undisturbed: Undisturbed) -> None:
    from signal import SIGTERM

    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with session(first) as started:
        Fault((SIGTERM,), "group", "training", INTERRUPTED).happen(started, first / "store")
        assert started.wait() == INTERRUPTED, started.output()
    (first / "store").rename(second / "store")
    usable(second)
    rebuild_mirror(second)
    assert set(trained(second / "store").values()) == {1}
    assert differences(second / "store", undisturbed) == []
    assert leftovers(second / "store") == []
