"""Images or weights that change before or while a run is trained.

Either the run ends as if nothing had happened, since it had taken all it needs, or it fails with
one line that names the file; never are numbers of mixed data published.
"""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import get_model

from ablate.data import identify, open_images
from ablate.data import prepared as prepared_module
from ablate.errors import BadInput, Interrupted, WeightsError
from ablate.models.checkpoint import read_tensors
from ablate.plan import identify_resnets, provenance
from ablate.registry import Catalogue
from ablate.runs import FileDigests, RunFolder, SpecFile, Store
from ablate.spec import NANO_WEIGHTS, Context, RunSpec
from ablate.train import work
from ablate.train.worker import _load, _taken
from train.run_helpers import TINY, PlanRun, failure_of, outcome, stop_after

FOLDERS = "data={kind: folders, images: images, masks: masks}"
CPU = torch.device("cpu")
# One step of the first epoch of six images in batches of four.
ONE_STEP = 1


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes")
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for number in range(9):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        mask[10 + number : 40, 5:30] = 255
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    return root


def planned(root: Path, store: Store) -> RunFolder:
    catalogue = Catalogue()
    protocol = catalogue.protocol("demo", [*TINY[:3], FOLDERS])
    data = identify(open_images(protocol.data, root, store.digests_path), protocol.split, root)
    context = Context(protocol=protocol, data=data, weights=NANO_WEIGHTS)
    variant = catalogue.variant("translandseg")
    spec = RunSpec(name="translandseg", variant=variant, context=context, seed=0)
    store.remember_source(data.digest, root)
    folder = store.run(spec.key)
    folder.create(SpecFile(key=spec.key, run=spec, provenance=provenance()))
    return folder


@pytest.fixture(scope="module")
def undisturbed(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = planned(scenes, Store(tmp_path_factory.mktemp("undisturbed")))
    work([folder.path], "cpu")
    return outcome(folder)


@pytest.fixture
def root(scenes: Path, tmp_path: Path) -> Path:
    """A copy that a test may change, written long ago."""
    return Path(shutil.copytree(scenes, tmp_path / "data"))


@pytest.fixture
def folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    # Files of this very second count as remembered and as older than the plan.
    monkeypatch.setattr("ablate.runs.digests._SETTLED_AFTER_NS", -(10**9))
    folder = planned(root, Store(tmp_path / "store"))
    created = folder.spec_file()
    later = created.provenance.model_copy(update={"created": created.provenance.created + 1.5})
    written = created.model_copy(update={"provenance": later})
    (folder.path / "spec.json").write_text(written.model_dump_json())
    return RunFolder(folder.path)


def invert(path: Path) -> None:
    with Image.open(path) as image:
        inverted = Image.fromarray(255 - np.asarray(image))
    inverted.save(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def restore(root: Path, scenes: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(scenes, root)


@pytest.mark.parametrize("change", [invert, cut, Path.unlink])
@pytest.mark.parametrize("part", ["images", "masks"])
def test_what_changes_after_the_plan_is_named(
    folder: RunFolder, root: Path, change: Callable[[Path], None], part: str
) -> None:
    wait_past(folder)
    change(root / part / "3.png")
    work([folder.path], "cpu")
    said = failure_of(folder)
    what = "is gone" if change is Path.unlink else "has changed"
    assert f"planned for ({part}/3.png {what}); restore them" in said
    assert "\n" not in said
    assert not folder.has_result()


def wait_past(folder: RunFolder) -> None:
    """What changes after this is newer than the plan, by the tolerance of file systems."""
    time.sleep(max(0.0, folder.spec_file().provenance.created - time.time()))


def test_an_image_that_is_gone_with_its_mask_is_named(
    folder: RunFolder, root: Path, scenes: Path, undisturbed: dict[str, object]
) -> None:
    for part in ("images", "masks"):
        (root / part / "3.png").unlink()
    work([folder.path], "cpu")
    assert "(images/3.png is gone, masks/3.png is gone); restore them" in failure_of(folder)
    restore(root, scenes)
    work([folder.path], "cpu")
    assert outcome(folder) == undisturbed


@pytest.mark.parametrize("change", [invert, cut, Path.unlink])
def test_what_changes_while_the_cache_is_built_is_named(
    folder: RunFolder,
    root: Path,
    scenes: Path,
    undisturbed: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
) -> None:
    resize, count = prepared_module._resize, iter(range(9))

    def resize_and_change(*words: object) -> object:
        if next(count) == 4:
            wait_past(folder)
            change(root / "images" / "7.png")
        return resize(*words)

    with monkeypatch.context() as patched:
        patched.setattr(prepared_module, "_resize", resize_and_change)
        work([folder.path], "cpu")
    assert "7.png" in failure_of(folder)
    assert not list(Store.of(folder).cache_path.glob("*px"))
    restore(root, scenes)
    work([folder.path], "cpu")
    assert outcome(folder) == undisturbed


def test_between_epochs_nothing_is_read_again(
    folder: RunFolder, root: Path, undisturbed: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RunFolder.append_event

    def append_and_remove(*words: object) -> object:
        shutil.rmtree(root, ignore_errors=True)
        return append(*words)

    monkeypatch.setattr(RunFolder, "append_event", append_and_remove)
    work([folder.path], "cpu")
    assert not root.exists()
    assert outcome(folder) == undisturbed


@pytest.mark.parametrize("is_gone", [True, False])
def test_before_it_is_resumed_the_images_must_be_there_again(
    folder: RunFolder,
    root: Path,
    scenes: Path,
    undisturbed: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    is_gone: bool,
) -> None:
    """Though the cache is whole: nobody would know of the change."""
    with monkeypatch.context() as patched:
        stop_after(patched, ONE_STEP)
        with pytest.raises(Interrupted):
            work([folder.path], "cpu")
    wait_past(folder)
    if is_gone:
        shutil.rmtree(root)
    else:
        invert(root / "images" / "0.png")
    work([folder.path], "cpu")
    named = str(root) if is_gone else "images/0.png has changed"
    assert named in failure_of(folder)
    if is_gone:
        with pytest.raises(BadInput, match=str(root)):
            planned(root, Store.of(folder))
    restore(root, scenes)
    work([folder.path], "cpu")
    assert outcome(folder) == undisturbed


@pytest.fixture
def resnet(plan_run: PlanRun, tmp_path: Path) -> tuple[RunSpec, Store, Path]:
    """A run that starts from weights in a file."""
    path = tmp_path / "resnet50-mine.pth"
    torch.save(get_model("resnet50", weights=None).state_dict(), path)
    folder = plan_run("deeplabv3plus")
    spec, store = folder.spec(), Store.of(folder)
    resnets = identify_resnets([spec.variant], [path])
    store.remember_source(resnets["resnet50"].sha256, path)
    context = spec.context.model_copy(update={"resnets": resnets})
    return spec.model_copy(update={"context": context}), store, path


def overwrite(path: Path) -> None:
    """In place, as a download that begins anew does."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\7" * (path.stat().st_size - 8192))


@pytest.mark.parametrize("change", [overwrite, cut, Path.unlink])
def test_weights_that_change_before_they_are_read_are_named(
    resnet: tuple[RunSpec, Store, Path], change: Callable[[Path], None]
) -> None:
    spec, store, path = resnet
    change(path)
    with pytest.raises(BadInput, match=path.name):
        _load(spec, store, CPU, half=False)


def test_weights_that_change_after_they_were_read_change_nothing(
    resnet: tuple[RunSpec, Store, Path],
) -> None:
    spec, store, path = resnet
    loaded = _load(spec, store, CPU, half=False)
    before = {name: value.clone() for name, value in loaded.items()}
    overwrite(path)
    assert all(torch.equal(loaded[name], value) for name, value in before.items())


def test_weights_that_change_while_they_are_read_are_named(
    resnet: tuple[RunSpec, Store, Path],
) -> None:
    spec, store, path = resnet
    mapped = read_tensors(path, "resnet50")
    overwrite(path)
    with pytest.raises(BadInput, match=r"resnet50-mine\.pth is no longer the file"):
        _taken(mapped, CPU, store, spec.weights.sha256)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(tmp_path: Path, value: float) -> None:
    """What is only evaluated would still give numbers."""
    path, store = tmp_path / "mine.pth", Store(tmp_path / "store")
    torch.save({"a": torch.ones(3), "b": torch.tensor([1.0, value])}, path)
    sha256 = FileDigests(None).of(path)
    store.remember_source(sha256, path)
    with pytest.raises(WeightsError, match=r"mine\.pth holds NaN or infinite values in b; "):
        _taken(read_tensors(path, "sam.pth"), CPU, store, sha256)


def test_a_learning_rate_without_measure_diverges_with_its_step(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg", "optimizer.lr=1e30")
    work([folder.path], "cpu")
    failure = folder.failure()
    assert failure is not None
    assert failure.kind == "diverged"
    assert re.fullmatch(
        r"Diverged: the training loss is (nan|inf) in epoch 1, step 2", failure.message
    )
    assert (folder.events(), folder.has_result()) == ([], False)
