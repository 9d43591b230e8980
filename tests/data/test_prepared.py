import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ablate.data import open_images, prepare
from ablate.errors import DataError, StoreError
from ablate.runs import hosts, locks
from ablate.spec import FoldersData, GeneratedData

Writer = Callable[..., Path]
FOLDERS = FoldersData(kind="folders", images="images", masks="masks")

# Prepares a data set, telling each image it loads as a line of a file, slowly.
PREPARE_SLOWLY = """
import sys, time
from pathlib import Path
from ablate.data import open_images, prepare
from ablate.spec import FoldersData

root, cache, log = map(Path, sys.argv[1:])
images = open_images(FoldersData(kind="folders", images="images", masks="masks"), root)
load = images.load

def slow_load(index):
    with log.open("a") as file:
        file.write(f"{index}\\n")
    time.sleep(0.05)
    return load(index)

images.load = slow_load
prepare(images, 16, cache)
"""


class Counting:
    """A data set in memory that counts how often it is read."""

    label = "counting"

    def __init__(self, positive: bool = True) -> None:
        self.names = ("x", "y")
        self.loads: list[int] = []
        self._positive = positive

    def load(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        self.loads.append(index)
        return (
            np.full((8, 4, 3), 100 + index, np.uint8),
            np.full((8, 4), self._positive and index == 1),
        )

    def digest(self) -> str:
        return "d" * 64


def start(root: Path, cache: Path, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PREPARE_SLOWLY, root, cache, log])


def test_everything_has_one_size_and_masks_stay_masks(tmp_path: Path, write_pairs: Writer) -> None:
    images = open_images(FOLDERS, write_pairs(tmp_path))
    prepared = prepare(images, 16, tmp_path / "cache")
    assert prepared.images.shape == (3, 16, 16, 3)
    assert prepared.masks.shape == (3, 16, 16)
    assert prepared.images.dtype == prepared.masks.dtype == np.uint8
    assert prepared.names == images.names
    assert set(np.unique(prepared.masks)) == {0, 1}
    image, mask = images.load(1)
    expected = Image.fromarray(image).resize((16, 16), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(prepared.images[1], np.asarray(expected))
    rows, columns = (np.arange(16) + 0.5) * 9 // 16, (np.arange(16) + 0.5) * 12 // 16
    np.testing.assert_array_equal(prepared.masks[1], mask[rows.astype(int)][:, columns.astype(int)])


def test_images_shrink_without_aliasing(tmp_path: Path) -> None:
    stripes = Counting()
    stripes.load = lambda index: (  # type: ignore[method-assign]
        np.tile(np.array([0, 200], np.uint8), (64, 32))[..., None].repeat(3, axis=2),
        np.ones((64, 64), np.bool_),
    )
    inner = prepare(stripes, 16, tmp_path).images[0, :, 2:-2]
    assert abs(inner.astype(int) - 100).max() <= 15


def test_the_arrays_are_read_only_maps(tmp_path: Path) -> None:
    prepared = prepare(Counting(), 16, tmp_path)
    for array in (prepared.images, prepared.masks):
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_cache_is_built_once_for_each_size(tmp_path: Path) -> None:
    images = Counting()
    first = prepare(images, 16, tmp_path / "deep/cache")
    again = prepare(images, 16, tmp_path / "deep/cache")
    assert images.loads == [0, 1]
    np.testing.assert_array_equal(first.images, again.images)
    prepare(images, 32, tmp_path / "deep/cache")
    assert images.loads == [0, 1, 0, 1]
    folders = sorted(path.name for path in (tmp_path / "deep/cache").iterdir() if path.is_dir())
    assert folders == [f"{'d' * 64}-16px", f"{'d' * 64}-32px"]


def test_no_positive_at_all_is_an_error_and_leaves_no_cache(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(DataError, match="no pixel of the 2 masks of counting is positive"):
            prepare(Counting(positive=False), 16, tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_broken_image_leaves_no_cache(tmp_path: Path, write_pairs: Writer) -> None:
    write_pairs(tmp_path / "set")
    (tmp_path / "set/images/c.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"c\.png cannot be read as an image"):
        prepare(open_images(FOLDERS, tmp_path / "set"), 16, tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_a_full_disk_is_told_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = Counting()
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(StoreError, match=r"the images need 2\.0 kB in .*, 100 B are free; free"):
        prepare(images, 16, tmp_path)
    assert images.loads == []


@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "names.json", "sha256.json"])
@pytest.mark.parametrize("damage", ["empty", "zeros", "cut", "missing", "one bit"])
def test_a_damaged_cache_is_made_anew(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    fresh = prepare(Counting(), 16, tmp_path / "fresh")
    prepare(Counting(), 16, tmp_path)
    path = tmp_path / f"{'d' * 64}-16px" / name
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        damaged = {
            "empty": b"",
            "zeros": bytes(len(whole)),
            "cut": whole[: len(whole) // 2],
            "one bit": whole[:-3] + bytes([whole[-3] ^ 1, *whole[-2:]]),
        }
        path.write_bytes(damaged[damage])
    again = Counting()
    prepared = prepare(again, 16, tmp_path)
    assert again.loads == [0, 1]
    assert caplog.messages == [f"the images in {path.parent} are damaged, and are made anew"]
    np.testing.assert_array_equal(prepared.images, fresh.images)
    np.testing.assert_array_equal(prepared.masks, fresh.masks)
    assert prepared.names == fresh.names
    assert path.read_bytes() == whole


def test_a_cache_has_its_name_once_its_content_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / f"{'d' * 64}-16px"
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync

    def spy(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, folder.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    prepare(Counting(), 16, tmp_path)
    partial = f"{folder.name}.{hosts.tag()}.partial"
    content = ["images.npy", "masks.npy", "names.json", "sha256.json", partial]
    assert synced == [*((name, False) for name in content), (tmp_path.name, True)]


def test_what_a_dead_process_half_built_is_removed_and_what_a_living_one_builds_is_not(
    tmp_path: Path,
) -> None:
    dead, old, living, elsewhere = (
        tmp_path / f"{name}.partial"
        for name in (
            f"dead-8px.{hosts.tag()}",
            "dead-16px",
            f"living-8px.{hosts.tag()}",
            "dead-8px.01234567",
        )
    )
    for folder in (dead, old, living, elsewhere):
        folder.mkdir()
    with locks.held(tmp_path / "living-8px.lock"):
        prepare(Counting(), 16, tmp_path)
    assert not dead.exists()
    assert not old.exists()
    assert living.exists()
    assert elsewhere.exists()


def test_of_two_hosts_that_build_at_once_one_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = Counting()

    def built_elsewhere() -> str:
        # No lock tells the one of the other.
        monkeypatch.undo()
        with monkeypatch.context() as patch:
            patch.setattr(hosts, "tag", lambda: "01234567")
            patch.setattr("ablate.data.prepared._lock_of", lambda path: path.with_suffix(".other"))
            prepare(Counting(), 16, tmp_path)
        return images.digest()

    prepared = prepare(images, 16, tmp_path, built_elsewhere)
    assert len(prepared.images) == len(images.names)
    assert not list(tmp_path.glob("*.partial"))


def test_a_kill_in_the_middle_leaves_no_half_cache(tmp_path: Path, write_pairs: Writer) -> None:
    root = write_pairs(tmp_path / "set", tuple("abcdefgh"))
    cache, log = tmp_path / "cache", tmp_path / "log"
    builder = start(root, cache, log)
    deadline = time.monotonic() + 20
    while not (log.exists() and len(log.read_text().splitlines()) >= 3):
        assert time.monotonic() < deadline, "the builder never began"
        time.sleep(0.005)
    builder.kill()
    assert builder.wait() == -signal.SIGKILL
    assert [path.suffix for path in cache.iterdir() if path.is_dir()] == [".partial"]

    prepared = prepare(open_images(FOLDERS, root), 16, cache)
    assert len(prepared.images) == 8
    assert prepared.masks.reshape(8, -1).any(axis=1).all()
    assert not list(cache.glob("*.partial"))


def test_concurrent_builders_build_once(tmp_path: Path, write_pairs: Writer) -> None:
    root = write_pairs(tmp_path / "set", tuple("abcdefgh"))
    cache, log = tmp_path / "cache", tmp_path / "log"
    builders = [start(root, cache, log) for _ in range(2)]
    assert [builder.wait(timeout=30) for builder in builders] == [0, 0]
    assert log.read_text().split() == [str(index) for index in range(8)]


def test_images_that_change_while_they_are_read_are_not_kept(
    write_pairs: Writer, tmp_path: Path
) -> None:
    """Else pixels of the new ones would be trained on under the digest of the old ones."""
    root, cache = write_pairs(tmp_path / "data"), tmp_path / "cache"
    images = open_images(FOLDERS, root)
    images.digest()
    load, changed = images.load, sorted((root / "images").iterdir())[-1]

    def load_and_change(index: int) -> tuple[np.ndarray, np.ndarray]:
        if index == 0:
            with Image.open(changed) as image:
                inverted = Image.fromarray(255 - np.asarray(image))
            inverted.save(changed)
        return load(index)

    images.load = load_and_change
    with pytest.raises(DataError, match="have changed while they were read; start again once"):
        prepare(images, 16, cache, lambda: open_images(FOLDERS, root).digest())
    assert not [path for path in cache.iterdir() if path.is_dir()]
    again = open_images(FOLDERS, root)
    assert len(prepare(again, 16, cache, lambda: open_images(FOLDERS, root).digest()).names) > 0


def test_scenes_are_painted_by_all_processors_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    images = open_images(GeneratedData(kind="generated", seed=1, count=15, size_px=32), None)
    expected = [images.load(index) for index in range(15)]
    load, meeting = images.load, threading.Barrier(3, timeout=20)

    def load_together(index: int) -> tuple[np.ndarray, np.ndarray]:
        # Each waits for two others: one by one, the wait would end in an error.
        meeting.wait()
        return load(index)

    monkeypatch.setattr(images, "load", load_together)
    prepared = prepare(images, 32, tmp_path)
    for index, (image, mask) in enumerate(expected):
        np.testing.assert_array_equal(prepared.images[index], image)
        np.testing.assert_array_equal(prepared.masks[index], mask)
