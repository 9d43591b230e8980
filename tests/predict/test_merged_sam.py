"""A row merged into SAM's own layout is read by SAM's own code, and computes what the row does."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from other_models import as_if_trained, perturb
from segment_anything import SamPredictor, sam_model_registry
from torch import Tensor

from ablate import Study
from ablate.data.generated import scene
from ablate.errors import BadInput, StoreError
from ablate.models.sam import build, load_weights, sam_without_weights
from ablate.predict import TrainedModel, load_runs, merged_sam
from ablate.predict.merged_sam import check_mergeable, write_merged
from ablate.registry import Catalogue
from ablate.spec import SamVariant
from ablate.study.trained_rows import TrainedRow

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(row: TrainedRow) -> TrainedModel:
    return load_runs(row.folders[:1], None, CPU)[0]


def _read(folder: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(folder / "sam_merged.pth", weights_only=True)
    return state


@pytest.mark.parametrize(
    "name", ["lora", "dora", "ssf", "decoder-only", "norm-tuning", "full-fine-tuning"]
)
def test_sams_own_predictor_gives_the_rows_mask(
    model: TrainedModel, tmp_path: Path, name: str
) -> None:
    trained = as_if_trained(model, name)
    check_mergeable(trained.spec)
    facts = write_merged(trained, None, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [facts.file]
    sam = sam_without_weights("vit_nano", device="cpu")
    sam.load_state_dict(_read(tmp_path), strict=True)
    image = scene(3, 0, 128)[0]
    predictor = SamPredictor(sam)
    predictor.set_image(image)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    normalised = (pixels - sam.pixel_mean) / sam.pixel_std
    with torch.no_grad():
        embeddings = trained.module.image_encoder(normalised)  # type: ignore[operator]
    # Measured: 7e-7, at embeddings of up to 1.7.
    torch.testing.assert_close(predictor.features, embeddings, rtol=0, atol=1e-4)
    (found,), _, _ = predictor.predict(multimask_output=False, return_logits=True)
    expected = trained.logits(image).numpy()
    assert np.abs(expected).max() > 1
    # Measured: 7e-5, at logits of up to 100.
    assert np.abs(found - expected).max() < 1e-3
    untrained = sam_without_weights("vit_nano", device="cpu")
    untrained.load_state_dict(load_weights("vit_nano", None))
    predictor = SamPredictor(untrained)
    predictor.set_image(image)
    (before,), _, _ = predictor.predict(multimask_output=False, return_logits=True)
    assert np.abs(before - expected).max() > 0.1


def test_a_row_of_another_image_size_keeps_sams_positions(
    model: TrainedModel, tmp_path: Path
) -> None:
    trained = as_if_trained(model, "lora", 64)
    write_merged(trained, None, tmp_path)
    native = sam_without_weights("vit_nano")
    found = _read(tmp_path)
    assert {name: value.shape for name, value in found.items()} == {
        name: value.shape for name, value in native.state_dict().items()
    }


def test_the_no_mask_embedding_has_its_place(model: TrainedModel, tmp_path: Path) -> None:
    adapted = Catalogue().variant("decoder-only")
    assert isinstance(adapted, SamVariant)
    variant = adapted.model_copy(update={"trained": ("mask_decoder", "no_mask_embedding")})
    module = build(
        variant, "vit_nano", image_size_px=64, weights=load_weights("vit_nano", None), seed=0
    )
    perturb(module)
    spec = model.spec.model_copy(update={"variant": variant})
    trained = TrainedModel(spec, module.eval(), CPU, None, "")
    assert write_merged(trained, None, tmp_path).difference < 1e-3
    found = _read(tmp_path)["prompt_encoder.no_mask_embed.weight"]
    assert torch.equal(found, module.no_mask.detach().reshape(found.shape))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("translandseg", "is of kind atl, which is not linear in a layer of SAM and cannot be put"),
        ("translandseg-released", "is of kind atl-released"),
        ("adaptformer", "is of kind adaptformer"),
        ("unet", "unet is not a SAM that could be merged; omit --merged"),
    ],
)
def test_what_has_no_place_in_sam_is_one_line(model: TrainedModel, name: str, line: str) -> None:
    with pytest.raises(BadInput, match=line):
        check_mergeable(model.spec.model_copy(update={"name": name, "variant": _named(name)}))


def _named(name: str) -> object:
    return Catalogue().variant(name)


def test_positions_trained_at_another_size_are_refused(model: TrainedModel) -> None:
    spec = as_if_trained(model, "full-fine-tuning", 64).spec
    with pytest.raises(BadInput, match=r"position embedding at 64×64 pixels.*one for 128×128"):
        check_mergeable(spec)


def test_nothing_starts_where_it_cannot_be_merged(study: Study, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be put into its weights"):
        study.export("translandseg-4", tmp_path / "new", merged=True)
    assert not list(tmp_path.iterdir())


def test_a_state_that_computes_something_else_is_not_published(
    model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = as_if_trained(model, "lora", 64)
    monkeypatch.setattr(merged_sam, "merged", lambda module: as_if_trained(model, "ssf").module)
    with pytest.raises(StoreError, match="with the weights of lora merged differs from its model"):
        write_merged(trained, None, tmp_path)


def test_the_card_and_the_manifest_name_it(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tiny_sweeps import OVERRIDES

    store = tmp_path_factory.mktemp("merged") / "store"
    study = Study(
        "transfer",
        store=store,
        protocol="demo",
        overrides=OVERRIDES,
        variants=["decoder-only"],
        seeds=(0,),
        devices=["cpu"],
        track=False,
        executor="inline",
    )
    study.run()
    study.export("decoder-only", tmp_path / "model", merged=True)
    digests = json.loads((tmp_path / "model/ablate-export.json").read_text())["files"]
    content = (tmp_path / "model/sam_merged.pth").read_bytes()
    assert digests["sam_merged.pth"] == hashlib.sha256(content).hexdigest()
    card = (tmp_path / "model/README.md").read_text(encoding="utf-8")
    assert "`sam_merged.pth`: all of SAM, with what was trained put into its weights" in card
    assert "This row was trained at 64×64 pixels, and SAM's own code computes at 128×128" in card


@pytest.mark.slow
def test_segment_anythings_registry_reads_it_at_full_size(
    model: TrainedModel, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    weights = sam_without_weights("vit_b", device="cpu").state_dict()
    torch.save(weights, tmp_path / "vit_b.pth")
    variant = _named("lora")
    assert isinstance(variant, SamVariant)
    module = build(variant, "vit_b", image_size_px=1024, weights=weights, seed=0)
    perturb(module)
    context = model.spec.context
    protocol = context.protocol.model_copy(update={"image_size_px": 1024})
    identity = context.weights.model_copy(update={"backbone": "vit_b"})
    context = context.model_copy(update={"protocol": protocol, "weights": identity})
    spec = model.spec.model_copy(update={"variant": variant, "context": context})
    trained = TrainedModel(spec, module.eval(), CPU, None, "")
    write_merged(trained, tmp_path / "vit_b.pth", tmp_path)
    sam = sam_model_registry["vit_b"](checkpoint=str(tmp_path / "sam_merged.pth")).eval()
    images = torch.randn(1, 3, 1024, 1024)
    with torch.no_grad():
        found, expected = sam.image_encoder(images), module.image_encoder(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
