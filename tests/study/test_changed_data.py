"""A start after data or weights have changed plans new runs, and says which files are why."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate import Study
from ablate.cli.status import status
from ablate.plan import create_run_folders
from ablate.plan.data_files import changed_weights
from ablate.runs import FileDigests, State, Store
from ablate.study.run import record_sources
from tiny_sweeps import OVERRIDES, tiny_study

FOLDERS = "data={kind: folders, images: images, masks: masks}"


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of files that were written just now are remembered."""
    monkeypatch.setattr("ablate.runs.digests._SETTLED_AFTER_NS", 0)


def write_pair(root: Path, number: int, shade: int = 0) -> None:
    pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    mask[10 + number : 40, 5 + shade : 30] = 255
    Image.fromarray(pixels).save(root / "images" / f"{number}.png")
    Image.fromarray(mask).save(root / "masks" / f"{number}.png")


def study(root: Path) -> Study:
    return tiny_study(
        root / "store",
        variants=["translandseg"],
        overrides=[*OVERRIDES[:3], FOLDERS],
        data=root / "data",
        executor="inline",
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and a store in which one run is trained on it."""
    root = tmp_path_factory.mktemp("trained")
    for folder in ("images", "masks"):
        (root / "data" / folder).mkdir(parents=True)
    for number in range(9):
        write_pair(root / "data", number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ablate.runs.digests._SETTLED_AFTER_NS", 0)
        assert study(root).run().count(State.DONE) == 1
    return root


def said_by_status(root: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    status(store=root / "store")
    return capsys.readouterr().err.splitlines()


def test_changed_files_are_named_until_the_sweep_is_started_anew(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = trained
    assert study(root).plan().changed is None
    assert said_by_status(root, capsys) == []
    shutil.copytree(root / "data", tmp_path / "before")
    write_pair(root / "data", 3, shade=1)
    (root / "data/images/8.png").unlink()
    (root / "data/masks/8.png").unlink()
    write_pair(root / "data", 9)
    names = "images/8.png is gone, images/9.png is new, masks/3.png has changed and 2 more"
    changed = f"data changed since the runs of this sweep: {names}"
    # A display reads what lies there before a plan does: what is new is not in its digests.
    known = "images/8.png is gone, masks/3.png has changed, masks/8.png is gone"
    assert said_by_status(root, capsys) == [
        f"note: table4: data changed since the runs of this sweep: {known}; its next start plans "
        "the runs anew"
    ]
    planned = study(root).plan()
    assert planned.changed == f"{changed}; 1 run is planned anew"
    # Planning has written the new digests, and still knows the old ones.
    assert study(root).plan().changed == planned.changed
    assert study(root).run().count(State.DONE) == 1
    assert study(root).plan().changed is None
    assert said_by_status(root, capsys) == []


def test_a_store_without_names_of_files_says_that_much(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "store", tmp_path / "store")
    shutil.rmtree(tmp_path / "store/cache/files")
    write_pair(trained / "data", 1, shade=2)
    without_names = tiny_study(
        tmp_path / "store",
        variants=["translandseg"],
        overrides=[*OVERRIDES[:3], FOLDERS],
        data=trained / "data",
    )
    said = "data changed since the runs of this sweep; 1 run is planned anew"
    assert without_names.plan().changed == said


def test_other_data_of_the_user_is_not_changed_data(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "data", tmp_path / "data")
    write_pair(tmp_path / "data", 2, shade=3)
    shutil.copytree(trained / "store", tmp_path / "store")
    planned = study(tmp_path).plan()
    assert planned.plan.pending
    assert planned.changed is None


def test_weights_that_were_replaced_are_named(tmp_path: Path) -> None:
    store, file = Store(tmp_path / "store"), tmp_path / "sam.pth"
    file.write_bytes(b"first")
    known = FileDigests(store.digests_path)
    first = known.of(file)
    known.save()
    store.remember_source(first, file)
    assert changed_weights(store, first, file) is None
    file.write_bytes(b"other")
    # Until a plan has read it, nobody can tell.
    assert changed_weights(store, first) is None
    known.of(file)
    known.save()
    assert changed_weights(store, first, file) == "sam.pth has changed"
    assert changed_weights(store, first, tmp_path / "another.pth") is None
    file.unlink()
    assert changed_weights(store, first) == "sam.pth is gone"


def test_weights_of_a_baseline_that_were_replaced_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "resnet50-mine.pth"
    file.write_bytes(b"first")
    sweep = Study(
        "table2",
        protocol="demo",
        variants=["deeplabv3plus"],
        backbone_weights=[file],
        store=tmp_path / "store",
    )
    planned, store = sweep.plan(), Store(tmp_path / "store")
    create_run_folders(planned.plan, store)
    record_sources(sweep.request, planned.plan.context, store)
    assert sweep.plan().changed is None
    file.write_bytes(b"other")
    changed = sweep.plan().changed
    assert changed is not None
    assert "resnet50-mine.pth has changed; 1 run is planned anew" in changed
    # The plan has read it: now a look tells.
    assert any("resnet50-mine.pth has changed" in line for line in said_by_status(tmp_path, capsys))
