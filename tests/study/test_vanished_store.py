"""A store that vanishes, or can no longer be written to, in the middle of training."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablate.errors import RunFailed
from ablate.plan import create_run_folders
from ablate.runs import RunFolder, Store
from ablate.study import Study
from ablate.train import work
from tiny_sweeps import OVERRIDES, tiny_study
from train.run_helpers import outcome

LIMIT_S = 300


def begun(store: Path) -> tuple[Study, RunFolder]:
    """A sweep of one run, in this process."""
    study = tiny_study(store, variants=["translandseg"], executor="inline")
    plan = study.plan().plan
    create_run_folders(plan, Store(store))
    return study, plan.runs[0].folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    _, folder = begun(tmp_path_factory.mktemp("undisturbed"))
    work([folder.path], "cpu")
    return outcome(folder)


def vanishing(patched: pytest.MonkeyPatch, method: str, store: Path) -> None:
    """The store is moved away as a run first does this."""
    original: Callable[..., object] = getattr(RunFolder, method)

    def moved_before(*words: object, **settings: object) -> object:
        if store.exists():
            store.rename(store.with_name("away"))
        return original(*words, **settings)

    patched.setattr(RunFolder, method, moved_before)


@pytest.mark.parametrize(
    "method",
    ["write_progress", "append_event", "save_checkpoint", "publish_result", "update_attempt"],
)
def test_nothing_is_made_under_the_old_path_and_the_run_goes_on_later(
    tmp_path: Path,
    undisturbed: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    store = tmp_path / "store"
    study, folder = begun(store)
    monkeypatch.setattr("ablate.study.run.warm_up", lambda: None)
    with monkeypatch.context() as patched:
        vanishing(patched, method, store)
        with pytest.raises(RunFailed, match=r"store is gone; bring it back and run the same again"):
            study.run()
    assert not store.exists()
    store.with_name("away").rename(store)
    assert not folder.has_failure()
    work([folder.path], "cpu")
    assert outcome(folder) == undisturbed


# In processes of their own ---------------------------------------------------------------------


def words(store: Path) -> list[str]:
    settings = ["epochs=20", *OVERRIDES[1:]]
    listed = [word for each in settings for word in ("--set", each)]
    variants = ["--variant", "translandseg", "--variant", "translandseg-4"]
    where = ["--device", "cpu", "--store", str(store)]
    return ["run", "--grid", "table4", "--protocol", "demo", *variants, *where, *listed]


def start(store: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ablate", *words(store)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@contextmanager
def moved_away(store: Path) -> Iterator[None]:
    store.rename(store.with_name("away"))
    yield
    assert not store.exists()
    store.with_name("away").rename(store)


@contextmanager
def read_only(store: Path) -> Iterator[None]:
    """Under a mount that is read-only; what is open stays writable, as after an error of a disk."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount")
    # Made read-only beside it: what writes through a mount keeps that from becoming read-only.
    beside = store.with_name("read-only")
    beside.mkdir()
    if subprocess.run(["mount", "--bind", store, beside], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    mounted = [beside]
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", beside], check=True)
        subprocess.run(["mount", "--bind", beside, store], check=True)
        mounted.append(store)
        yield
    finally:
        for path in reversed(mounted):
            subprocess.run(["umount", "--lazy", path], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("disturbed", [moved_away, read_only])
def test_a_sweep_ends_in_one_line_and_goes_on_later(
    tmp_path: Path, disturbed: Callable[[Path], Iterator[None]]
) -> None:
    plain, store = tmp_path / "plain", tmp_path / "store"
    said, _ = start(plain).communicate(timeout=LIMIT_S)
    assert "2 of 2 runs done" in said, said
    process = start(store)
    try:
        deadline = time.monotonic() + LIMIT_S
        while len(list(store.glob("runs/*/events.jsonl"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with disturbed(store):  # type: ignore[attr-defined]
            said, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 1, said
    assert "Traceback" not in said
    (line,) = [each for each in said.splitlines() if each.startswith("error: ")]
    assert f"the store {store} " in line
    said, _ = start(store).communicate(timeout=LIMIT_S)
    assert "2 of 2 runs done" in said, said
    for name in ("weights.safetensors", "confusion.parquet"):
        for path in plain.glob(f"runs/*/{name}"):
            assert (store / path.relative_to(plain)).read_bytes() == path.read_bytes()
