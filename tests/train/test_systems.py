"""Systems other than adapted SAM, through the folder: CNN baselines and zero-shot SAM."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.models import get_model

from ablate.errors import Interrupted
from ablate.metrics import Confusion, scores
from ablate.models import Cnn, ZeroShot, build_cnn
from ablate.plan import identify_resnets
from ablate.runs import State, Store
from ablate.spec import CnnVariant
from ablate.train import work
from ablate.train.worker import _load, _model
from train.run_helpers import PlanRun, finished, outcome, stop_after


def test_a_stopped_cnn_ends_bit_for_bit_as_an_undisturbed_one(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout's random numbers and the running statistics go on where they were.

    Five training images in batches of four: the last batch has a single one.
    """
    few = "data={kind: generated, seed: 1, count: 8, size_px: 64}"
    undisturbed = plan_run("deeplabv3plus", few, "epochs=1", store="undisturbed")
    work([undisturbed.path], "cpu")
    folder = plan_run("deeplabv3plus", few, "epochs=1")
    with monkeypatch.context() as patch:
        stop_after(patch, 0)
        with pytest.raises(Interrupted):
            work([folder.path], "cpu")
    assert folder.state() is State.INTERRUPTED
    work([folder.path], "cpu")
    assert outcome(folder) == outcome(undisturbed)

    result, saved = finished(folder), load_file(folder.weights_path)
    assert result.parameters.total == result.parameters.trainable == 40_347_041
    variant = folder.spec().variant
    assert isinstance(variant, CnnVariant)
    fresh = build_cnn(variant, None, seed=0).state_dict()
    # Running statistics are no parameters, but a network without them is not the trained one.
    assert saved.keys() == fresh.keys()
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        moved = next(key for key in saved if key.endswith(name))
        assert not torch.equal(saved[moved], fresh[moved])


def test_a_cnn_starts_from_the_file_that_it_was_planned_with(
    plan_run: PlanRun, tmp_path: Path
) -> None:
    planned = plan_run("pspnet")
    layout = get_model("resnet50", weights=None).state_dict()
    path = tmp_path / "resnet50-mine.pth"
    torch.save({name: torch.full_like(value, 0.5) for name, value in layout.items()}, path)
    spec = planned.spec()
    resnets = identify_resnets([spec.variant], [path])
    context = spec.context.model_copy(update={"resnets": resnets})
    own = spec.model_copy(update={"context": context})
    store = Store.of(planned)
    store.remember_source(resnets["resnet50"].sha256, path)
    weights = _load(own, store, torch.device("cpu"), half=False)
    model = _model(own, weights, torch.device("cpu"))
    assert isinstance(model, Cnn)
    assert model.encoder.layer3[0].conv2.weight.unique().tolist() == [0.5]
    assert own.key != spec.key
    assert _load(spec, store, torch.device("cpu"), half=False) == {}


def test_what_an_evaluation_leaves(plan_run: PlanRun) -> None:
    folder = plan_run("sam-points")
    work([folder.path], "cpu")
    result = finished(folder)
    assert (result.epoch, result.epochs, result.steps) == (0, 0, 0)
    assert result.parameters.trainable == 0
    assert load_file(folder.weights_path) == {}
    assert folder.events() == []

    table = pd.read_parquet(folder.confusion_path)
    assert len(table) == 7
    pooled = Confusion(*(int(table[name].sum()) for name in ("tp", "fp", "fn", "tn")))
    assert result.metrics == scores(pooled)
    panels = sorted(folder.panels_path.iterdir())
    assert len(panels) == 4
    assert np.asarray(Image.open(panels[0])).shape == (256, 768, 3)


@pytest.mark.parametrize("looks", [0, 3, 6])
def test_a_stopped_evaluation_goes_on_with_the_next_image(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    undisturbed = plan_run("sam-points", store="undisturbed")
    work([undisturbed.path], "cpu")
    folder = plan_run("sam-points")
    predicted: list[int] = []
    predict = ZeroShot.predict

    def counted(self: ZeroShot, *images: np.ndarray) -> np.ndarray:
        predicted.append(1)
        return predict(self, *images)

    monkeypatch.setattr(ZeroShot, "predict", counted)
    with monkeypatch.context() as patch:
        stop_after(patch, looks)
        with pytest.raises(Interrupted):
            work([folder.path], "cpu")
    assert folder.state() is State.INTERRUPTED
    work([folder.path], "cpu")
    assert outcome(folder) == outcome(undisturbed)
    assert len(predicted) == 7


def test_the_public_codes_slips_change_what_is_trained_and_validated(plan_run: PlanRun) -> None:
    jitter = "color_jitter={brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1, images: %s}"
    plain = plan_run("translandseg", jitter % "training")
    everywhere = plan_run("translandseg", jitter % "all")
    forgetful = plan_run("translandseg", jitter % "training", "prompt_weights=random")
    for folder in (plain, everywhere, forgetful):
        work([folder.path], "cpu")
    first, jittered, other = (
        [event.metrics for event in folder.events()] for folder in (plain, everywhere, forgetful)
    )
    # The same training, validated on other pixels.
    assert [each["train_loss"] for each in first] == [each["train_loss"] for each in jittered]
    assert [each["val_loss"] for each in first] != [each["val_loss"] for each in jittered]
    assert [each["train_loss"] for each in first] != [each["train_loss"] for each in other]
    # The result repeats what the selected epoch was selected by.
    best = min(everywhere.events(), key=lambda event: event.metrics["val_loss"])
    assert finished(everywhere).metrics["val_loss"] == best.metrics["val_loss"]
