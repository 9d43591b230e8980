"""The test part: scored once, at the end, and seen by nothing before."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.data import identify, open_images
from ablate.data.splitting import parts
from ablate.errors import Interrupted
from ablate.metrics import Confusion, scores
from ablate.plan import provenance
from ablate.registry import Catalogue
from ablate.runs import RunFolder, SpecFile, Store
from ablate.spec import NANO_WEIGHTS, Context, RunSpec
from ablate.train import work
from ablate.train.cohort_setup import CohortSetup
from train.run_helpers import TINY, PlanRun, finished, outcome, stop_after

JITTER = "color_jitter={brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1, images: all}"
TEST = "split.test={share: 0.25, seed: 5}"


def test_the_test_part_is_scored_beside_the_validation_part(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg", TEST)
    work([folder.path], "cpu")
    result, spec = finished(folder), folder.spec()
    assert result.test is not None
    tested, validated = folder.test_confusions(), folder.confusions()
    assert (result.test.images, len(tested.names)) == (5, 5)
    assert result.test.confusion == tested.pooled
    assert result.test.metrics == scores(Confusion(**tested.pooled))
    data = spec.context.data
    assert (data.train, data.validation, data.test) == (10, 5, 5)
    assert not {*tested.names} & {*validated.names}


def test_without_a_test_part_there_is_no_score_and_no_file(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg")
    work([folder.path], "cpu")
    assert finished(folder).test is None
    assert not folder.test_confusion_path.exists()


@pytest.mark.parametrize("variant", ["translandseg", "sam-points"])
@pytest.mark.parametrize("looks", [1, 6, 9])
def test_a_stopped_run_ends_with_the_same_test_scores(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch, variant: str, looks: int
) -> None:
    whole = plan_run(variant, TEST, store="whole")
    work([whole.path], "cpu")
    halted = plan_run(variant, TEST, store="halted")
    with monkeypatch.context() as patch:
        stop_after(patch, looks)
        with pytest.raises(Interrupted):
            work([halted.path], "cpu")
    assert halted.result() is None
    work([halted.path], "cpu")
    assert outcome(halted) == outcome(whole)
    tests = [folder.test_confusion_path.read_bytes() for folder in (halted, whole)]
    assert tests[0] == tests[1]


@pytest.mark.parametrize("selection", ["validation-loss", "last"])
def test_other_test_masks_change_nothing_but_the_test_scores(
    tmp_path: Path, selection: str
) -> None:
    outcomes = []
    for name, reverse in (("one", False), ("two", True)):
        folder = _planned(tmp_path / name, reverse, f"selection={selection}")
        work([folder.path], "cpu")
        seen = outcome(folder)
        result = seen["result"]
        assert isinstance(result, dict)
        # The masks' content is in the key.
        del result["key"]
        outcomes.append((result.pop("test"), seen))
    (first, first_rest), (second, second_rest) = outcomes
    assert first != second
    assert first_rest == second_rest


def test_test_images_are_never_jittered(plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the protocol jitters validation images, as the authors' public code does."""
    seen: list[CohortSetup] = []
    batches = CohortSetup.test_batches
    monkeypatch.setattr(
        CohortSetup, "test_batches", lambda setup: (seen.append(setup), batches(setup))[1]
    )
    folder = plan_run("translandseg", TEST, JITTER)
    work([folder.path], "cpu")
    (setup,) = seen
    protocol = setup.protocol
    (batch, *_) = batches(setup)
    pixels = np.asarray(setup.prepared.images[batch.indices[0]], np.float32) / 255
    expected = (pixels - np.array(protocol.mean)) / np.array(protocol.std)
    np.testing.assert_allclose(batch.images[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def _planned(root: Path, is_reversed: bool, *overrides: str) -> RunFolder:
    """A run on twenty images in folders; of the test images each may have another's mask."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    protocol = Catalogue().protocol(
        "demo",
        [*TINY, TEST, "data={kind: folders, images: images, masks: masks}", *overrides],
    )
    names = [f"{index:02d}" for index in range(20)]
    masks = {}
    for name in names:
        image = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(image).save(root / f"images/{name}.png")
        masks[name] = (random.random((64, 64)) < random.random()).astype(np.uint8)
    test = [names[index] for index in parts(names, protocol.split, None).test]
    sources = dict(zip(test, test[::-1] if is_reversed else test, strict=True))
    for name in names:
        Image.fromarray(masks[sources.get(name, name)]).save(root / f"masks/{name}.png")
    data = identify(open_images(protocol.data, root), protocol.split, root)
    context = Context(protocol=protocol, data=data, weights=NANO_WEIGHTS)
    spec = RunSpec(
        name="translandseg",
        variant=Catalogue().variant("translandseg"),
        context=context,
        seed=0,
    )
    store = Store(root / "store")
    store.remember_source(data.digest, root)
    folder = store.run(spec.key)
    folder.create(SpecFile(key=spec.key, run=spec, provenance=provenance()))
    return folder
