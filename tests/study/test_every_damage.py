"""Every kind of file of a store × every kind of damage: what each command does about it.

No command shows a traceback, waits for ever, or prints a number of a damaged file; one bad file
stops nothing else; the next start mends what numbers are made of, and ends as if nothing had been.
"""

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest

import ablate.cli
from damages import DAMAGES, Damage, fifo, half, link, outside, removed
from train.run_helpers import outcome
from whole_store import (
    ALSO_DONE,
    DONE,
    FAILED,
    INTERRUPTED,
    VARIANTS,
    folder_of,
    make_store,
    study_of,
)

# On a busy machine a start takes ten times what it takes alone.
_LONGEST_S = 120


class Kind(NamedTuple):
    """A file of the store.

    Attributes:
        find: The file.
        other: The file that is put in its place by mistake.
        role: ``scores``: numbers are made of it; ``beside``: a finished run's, of which no score is
            made; ``unfinished``: what an unfinished run needs; ``record``, ``tuning``; ``derived``:
            made anew where it is needed; ``mirror``.
    """

    find: Callable[[Path], Path]
    other: Callable[[Path], Path]
    role: str


def _of(variant: str, pattern: str) -> Callable[[Path], Path]:
    return lambda root: _first(folder_of(root, variant).path, pattern)


def _in(pattern: str) -> Callable[[Path], Path]:
    return lambda root: _first(root, pattern)


def _first(path: Path, pattern: str) -> Path:
    return sorted(path.glob(pattern))[-1]


def _done(name: str, role: str) -> Kind:
    return Kind(_of(DONE, name), _of(ALSO_DONE, name), role)


KINDS = {
    "spec.json": _done("spec.json", "scores"),
    "result.json": _done("result.json", "scores"),
    "confusion.parquet": _done("confusion.parquet", "scores"),
    "confusion-test.parquet": _done("confusion-test.parquet", "scores"),
    "events.jsonl": _done("events.jsonl", "beside"),
    "weights.safetensors": _done("weights.safetensors", "beside"),
    # Of another image: two rows may predict the same.
    "panel": Kind(_of(DONE, "panels/*.png"), _of(ALSO_DONE, "panels/*4.png"), "beside"),
    "attempt": _done("attempts/*.json", "cost"),
    "checkpoint": Kind(_of(INTERRUPTED, "*.pt"), _of(DONE, "weights.*"), "unfinished"),
    "checkpoint's digest": Kind(_of(INTERRUPTED, "*.sha256"), _of(DONE, "spec.json"), "unfinished"),
    "progress.json": Kind(_of(INTERRUPTED, "progress.json"), _of(DONE, "spec.json"), "unfinished"),
    "unfinished spec": Kind(_of(INTERRUPTED, "spec.json"), _of(DONE, "spec.json"), "unfinished"),
    "unfinished events": Kind(
        _of(INTERRUPTED, "events.jsonl"), _of(DONE, "events.jsonl"), "unfinished"
    ),
    "failure.json": Kind(_of(FAILED, "failure.json"), _of(DONE, "spec.json"), "unfinished"),
    "sweep's record": Kind(_in("sweeps/*.json"), _in("tunings/*.json"), "record"),
    "tuning's record": Kind(_in("tunings/*.json"), _in("sweeps/*.json"), "tuning"),
    "journal": Kind(_in("tunings/*.journal"), _in("sweeps/*.json"), "derived"),
    "source": Kind(_in("sources/*.json"), _in("sweeps/*.json"), "derived"),
    "data check": Kind(_in("data-checks/*.json"), _in("sweeps/*.json"), "check"),
    "cached images": Kind(_in("cache/*px/images.npy"), _in("cache/*px/masks.npy"), "derived"),
    "cached masks": Kind(_in("cache/*px/masks.npy"), _in("cache/*px/images.npy"), "derived"),
    "cached names": Kind(_in("cache/*px/names.json"), _in("sweeps/*.json"), "derived"),
    "cache's digests": Kind(_in("cache/*px/sha256.json"), _in("sweeps/*.json"), "derived"),
    "digests of files": Kind(_in("cache/digests.json"), _in("sweeps/*.json"), "derived"),
    "counts": Kind(_in("cache/parameters.json"), _in("sweeps/*.json"), "derived"),
    "checked data": Kind(_in("cache/verified.json"), _in("sweeps/*.json"), "derived"),
    "report's note": Kind(_in("cache/reports/*/note.md"), _in("sweeps/*.json"), "derived"),
    "report's copy": Kind(_in("cache/reports/*/report.html"), _in("sweeps/*.json"), "derived"),
    "mlflow.db": Kind(_in("mlflow/mlflow.db"), _in("sweeps/*.json"), "mirror"),
}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole store beside a copy of it: the mirror knows where the store lies."""
    root = make_store(tmp_path_factory.mktemp("damage") / "store")
    shutil.copytree(root, root.with_name("whole"))
    outside(root / "x").write_text("{}")
    return root


@pytest.fixture
def root(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store as it was made."""
    shutil.rmtree(made)
    shutil.copytree(made.with_name("whole"), made)
    monkeypatch.chdir(made.parent)
    monkeypatch.setenv("COLUMNS", "400")
    return made


@pytest.fixture(scope="session")
def undisturbed(made: Path) -> dict[str, dict[str, object]]:
    """What every run comes to when the store is completed as it is."""
    shutil.rmtree(made)
    shutil.copytree(made.with_name("whole"), made)
    study_of(made).run()
    return {variant: outcome(folder_of(made, variant)) for variant in VARIANTS}


@pytest.fixture(scope="session")
def before(made: Path) -> dict[str, float | None]:
    """The scores of an undamaged store."""
    rows = study_of(made).report().report.rows
    return {row.name: row.scores["miou"].mean for row in rows}


@pytest.fixture(autouse=True)
def not_for_ever() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it hangs: {frame}")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(_LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def command(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """``ablate WORDS…`` in this process; whatever is no exit of a command ends the test."""

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ablate", *words, "--store", str(root)])
        capsys.readouterr()
        code = 0
        try:
            ablate.cli._run()
        except SystemExit as left:
            code = int(left.code or 0)
        ended = Ended(code, *capsys.readouterr())
        assert "Traceback" not in ended.out + ended.err
        assert code in (0, 1, 2)
        return ended

    return run


def is_quick(kind: Kind, damage: Damage) -> bool:
    return kind.role not in ("derived", "mirror") or damage in (half, fifo)


CASES = [
    pytest.param(kind, damage, id=f"{name}-{damage.__name__}")
    for name, kind in KINDS.items()
    for damage in DAMAGES
]
# What is derived is read by few: two of the damages each, here.
READ_CASES = [
    pytest.param(*case.values, id=case.id, marks=[] if is_quick(*case.values) else pytest.mark.slow)
    for case in CASES
]


def damaged(root: Path, kind: Kind, damage: Damage) -> Path:
    """Damages the file and returns it."""
    path, other = kind.find(root), kind.other(root)
    damage(path, other)
    return path


@pytest.mark.parametrize(("kind", "damage"), READ_CASES)
def test_what_is_read_says_so_and_stops_nothing_else(
    root: Path,
    before: dict[str, float | None],
    command: Callable[..., Ended],
    kind: Kind,
    damage: Damage,
) -> None:
    path = damaged(root, kind, damage)
    status, verify = command("status", "--format", "json"), command("verify")
    if kind.role == "record":
        assert (status.code, verify.code) == (2, 2)
        assert damage is removed or (path.name in status.err and path.name in verify.err)
        assert command("report", "--grid", "table4").code == 2
        return
    made = study_of(root).report()
    scores = {row.name: row.scores["miou"].mean for row in made.report.rows}
    states = {run["variant"]: run["state"] for run in json.loads(status.out)[0]["runs"]}
    assert status.code == 0
    assert (states[ALSO_DONE], scores[ALSO_DONE]) == ("done", before[ALSO_DONE])
    is_new = path.name == "result.json" and damage is removed
    if kind.role == "scores":
        assert (states[DONE], scores[DONE]) == ("new" if is_new else "damaged", None)
        assert (made.unreadable, verify.code) == ((0, 0) if is_new else (1, 1))
    else:
        assert (states[DONE], scores[DONE]) == ("done", before[DONE])
    if kind.role == "beside":
        # Weights and panels may have been removed to save space.
        is_fine = damage is removed and path.name != "events.jsonl"
        assert verify.code == (0 if is_fine else 1)
        page = made.render("html")
        is_shown = path.suffix in (".jsonl", ".png")
        said = [f"{path.name} {what}" for what in ("was changed", "cannot be read", "is missing")]
        assert any(each in page for each in said) == (is_shown and not is_fine)
    elif kind.role == "tuning":
        assert path.name in status.err
        assert verify.code == 1
    assert outside(path).read_text() == "{}"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "damage"), CASES)
def test_the_next_start_ends_as_if_nothing_had_been(
    undisturbed: dict[str, dict[str, object]], root: Path, kind: Kind, damage: Damage
) -> None:
    path = damaged(root, kind, damage)
    outside(path).write_text("{}")
    ended = study_of(root).run()
    assert outside(path).read_text() == "{}"
    assert not ended.failed
    if kind.role == "record" and damage is not removed:
        assert "it was moved to" in ended.notes[0]
        assert (path.parent / "damaged-1" / path.name).exists() or damage is link
    for variant in VARIANTS:
        # What no score is made of is kept as it is.
        if kind.role != "beside" or variant != DONE:
            assert outcome(folder_of(root, variant)) == undisturbed[variant]
    if kind.role == "scores" and damage is not removed:
        assert (path.parent / "damaged-1").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "damage"), CASES)
def test_the_mirror_gets_all_others(
    root: Path, command: Callable[..., Ended], kind: Kind, damage: Damage
) -> None:
    if kind.role != "mirror":
        shutil.rmtree(root / "mlflow")
    path = damaged(root, kind, damage)
    sync = command("sync")
    assert outside(path).read_text() == "{}"
    is_unseen = damage is removed and path.suffix in (".png", ".safetensors")
    if kind.role in ("scores", "beside") and not is_unseen and path.name != "result.json":
        assert (sync.code, "all other runs are mirrored" in sync.err) == (2, True)
    elif kind.role in ("derived", "check", "cost"):
        assert sync.code == 0
