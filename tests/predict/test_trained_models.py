"""A trained row is put together again and computes what its training computed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from other_models import as_if_trained
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F  # noqa: N812

import ablate
from ablate.data import open_images
from ablate.data.generated import scene
from ablate.data.scaling import scaled
from ablate.data.splitting import parts
from ablate.errors import BadInput, DataError, StoreError, WeightsError
from ablate.predict import TrainedModel, load_export, load_runs
from ablate.runs import RunFolder
from ablate.study.trained_rows import TrainedRow

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(row: TrainedRow) -> TrainedModel:
    return load_runs(row.folders, None, CPU)[0]


def test_predictions_give_the_pixel_counts_of_the_training(
    model: TrainedModel, row: TrainedRow
) -> None:
    spec, confusions = model.spec, row.folders[0].confusions()
    images = open_images(spec.context.protocol.data, None)
    validation = parts(images.names, spec.context.protocol.split, None).validation
    found = []
    for index in validation:
        image, truth = images.load(index)
        mask = model.predict(image)
        cells = (mask & truth, mask & ~truth, ~mask & truth, ~(mask | truth))
        found.append([int(cell.sum()) for cell in cells])
    assert np.array_equal(np.array(found), np.array(confusions.counts))
    assert np.array(found)[:, :2].any()


def test_runs_of_other_seeds_are_other_models_over_one_frozen_encoder(row: TrainedRow) -> None:
    first, second = load_runs(row.folders, None, CPU)
    assert (first.spec.seed, second.spec.seed) == (0, 1)
    one, two = (dict(each.module.named_parameters()) for each in (first, second))
    frozen = [name for name in one if not one[name].requires_grad]
    own = [name for name in frozen if one[name].data_ptr() != two[name].data_ptr()]
    # Resized, at another image size than SAM's own.
    assert own == ["image_encoder.pos_embed"]
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert not np.array_equal(first.probability(image), second.probability(image))


@pytest.mark.parametrize("shape", [(64, 64, 3), (40, 150, 3), (1, 1, 3), (40, 150), (40, 150, 1)])
def test_images_of_any_size(model: TrainedModel, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    probability, mask = model.probability(image), model.predict(image)
    assert probability.shape == mask.shape == shape[:2]
    assert probability.dtype == np.float32
    assert ((probability > 0.5) == mask).all()


def test_a_path_is_read_as_the_training_reads_it(model: TrainedModel, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert np.array_equal(model.probability(tmp_path / "a.png"), model.probability(image))


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.zeros((8, 8, 13), np.uint8), "13 bands of uint8"),
        (np.zeros((8, 8, 3), np.uint16), "3 bands of uint16"),
        (np.zeros((8, 8, 3), np.complex64), "complex64"),
        (np.zeros(8, np.uint8), "is not an image"),
        (np.zeros((0, 8, 3), np.uint8), "is not an image"),
        ("missing.png", "no file"),
    ],
)
def test_what_the_model_was_not_trained_on_is_refused(
    model: TrainedModel, image: object, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        model.predict(image)  # type: ignore[arg-type]


def test_declared_bands_and_ranges_are_those_of_the_training() -> None:
    from ablate.data.arrays import as_image, bands_for
    from ablate.spec import FoldersData, PercentileScale

    scale = PercentileScale(kind="percentiles", low=2, high=98)
    data = FoldersData(kind="folders", images="a", masks="b", bands=(3, 2, 1), scale=scale)
    assert bands_for(data, 13, "uint16", "it") == (3, 2, 1)
    with pytest.raises(DataError, match="band 3"):
        bands_for(data, 3, "uint16", "it")
    values = np.random.default_rng(0).integers(0, 3000, (5, 6, 3), np.uint16)
    is_data, ranges = values[..., 0] > 100, ((0.0, 2000.0), (10.0, 3000.0), (0.0, 9.0))
    assert np.array_equal(as_image(values, is_data, data, ranges), scaled(values, is_data, ranges))


# Exports ----------------------------------------------------------------------------------


def test_an_export_computes_what_the_run_computes(model: TrainedModel, export: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 90, 3), np.uint8)
    loaded = ablate.load(export)
    assert loaded.spec == model.spec
    assert np.array_equal(loaded.probability(image), model.probability(image))
    assert isinstance(loaded.module, torch.nn.Module)
    trained = {name for name, each in loaded.module.named_parameters() if each.requires_grad}
    assert set(load_file(export / "weights.safetensors")) == trained


@pytest.mark.parametrize("name", ["translandseg", "translandseg-released", "lora", "norm-tuning"])
def test_a_plain_loop_trains_what_the_row_trains(model: TrainedModel, name: str) -> None:
    trained = as_if_trained(model, name, 64)
    image, mask = scene(5, 0, 64)
    before = trained.probability(image)
    module = trained.module.train()
    start = {key: value.detach().clone() for key, value in module.named_parameters()}
    values = [value for value in module.parameters() if value.requires_grad]
    assert set(module.trainable_state()) == {
        key for key, value in module.named_parameters() if value.requires_grad
    }
    optimizer = torch.optim.SGD(values, lr=1e-3)
    images = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]
    truth = torch.from_numpy(mask)[None, None].float()
    losses = []
    for _ in range(4):
        loss = F.binary_cross_entropy_with_logits(module(images), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    moved = {key for key, value in module.named_parameters() if not torch.equal(value, start[key])}
    assert moved <= set(module.trainable_state())
    assert set(module.trainable_state()) - module.parameters_without_gradient() <= moved
    # What it has learned is a state like any other; the weights that others share are as before.
    again = as_if_trained(model, name, 64)
    assert np.array_equal(again.probability(image), before)
    again.module.load_trainable_state(module.trainable_state())
    assert np.array_equal(again.probability(image), trained.probability(image))


def test_the_card_has_the_numbers_of_the_report(export: Path, study: ablate.Study) -> None:
    card = (export / "README.md").read_text(encoding="utf-8")
    (row,) = (each for each in study.report().report.rows if each.name == "translandseg-4")
    mean = row.scores["miou"].mean
    assert mean is not None
    assert f"| miou | 2 | {mean:.2f} |" in card
    assert "not comparable with the published values" in card
    assert card.startswith("---\nlicense: other\nlicense_name: TO FILL IN\n")


def test_loading_needs_no_store_and_no_runner(export: Path, tmp_path: Path) -> None:
    program = f"""
import sys
import ablate
assert "torch" not in sys.modules
import numpy as np
model = ablate.load({str(export)!r})
model.predict(np.zeros((64, 64, 3), np.uint8))
loaded = {{"mlflow", "optuna", "ray", "rasterio", "pandas"}} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_an_export_of_another_form_is_refused(export: Path, tmp_path: Path) -> None:
    import json
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(export, copy)
    manifest = json.loads((copy / "ablate-export.json").read_text())
    (copy / "ablate-export.json").write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(BadInput, match="form 2; this ablate reads form 1; update ablate"):
        load_export(copy, None, CPU)
    (copy / "ablate-export.json").write_text("{")
    with pytest.raises(BadInput, match="damaged"):
        load_export(copy, None, CPU)
    (copy / "ablate-export.json").write_text(json.dumps(manifest))
    state = load_file(copy / "weights.safetensors")
    save_file({name: value + 1 for name, value in state.items()}, copy / "weights.safetensors")
    with pytest.raises(BadInput, match=r"weights\.safetensors is not the file"):
        load_export(copy, None, CPU)
    (copy / "ablate-export.json").unlink()
    with pytest.raises(BadInput, match="is not an export"):
        load_export(copy, None, CPU)


def test_a_checkpoint_that_it_was_not_trained_on_is_refused(export: Path, tmp_path: Path) -> None:
    (tmp_path / "sam.pth").write_bytes(b"weights")
    with pytest.raises(WeightsError, match="SAM-nano, which is part of ablate"):
        ablate.load(export, checkpoint=tmp_path / "sam.pth")


def test_a_wrong_file_of_an_official_sam_is_refused(model: TrainedModel, tmp_path: Path) -> None:
    from ablate.predict.loading import check_checkpoint

    weights = model.spec.context.weights.model_copy(
        update={"backbone": "vit_l", "label": "SAM ViT-L", "sha256": "a" * 64}
    )
    context = model.spec.context.model_copy(update={"weights": weights})
    spec = model.spec.model_copy(update={"context": context})
    (tmp_path / "sam.pth").write_bytes(b"weights")
    with pytest.raises(WeightsError, match=r"is not the checkpoint .* give SAM ViT-L"):
        check_checkpoint(spec, tmp_path / "sam.pth", lambda _: "b" * 64)
    check_checkpoint(spec, tmp_path / "sam.pth", lambda _: "a" * 64)
    with pytest.raises(WeightsError, match=r"give the path of sam_vit_l_0b3195\.pth"):
        check_checkpoint(spec, None, lambda _: "")


def test_a_folder_that_exists_is_never_overwritten(study: ablate.Study, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(DataError, match="exists"):
        study.export("translandseg-4", tmp_path / "there")
    with pytest.raises(BadInput, match="did you mean 'translandseg-4'"):
        study.export("translandseg-5", tmp_path / "new")
    assert not list((tmp_path / "there").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_damaged_weights_are_refused(row: TrainedRow, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(row.store.root, tmp_path / "store")
    folder = RunFolder(tmp_path / "store" / "runs" / row.folders[0].key)
    state = load_file(folder.weights_path)
    save_file({name: value + 1 for name, value in state.items()}, folder.weights_path)
    with pytest.raises(StoreError, match="changed after the run had ended"):
        load_runs([folder], None, CPU)
