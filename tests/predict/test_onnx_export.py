"""The ONNX graph of an export computes what PyTorch computes, and has what Deepness reads."""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from other_models import as_if_trained, perturb, scenes
from torch import nn

import ablate
from ablate import Study
from ablate.errors import BadInput, StoreError
from ablate.models.sam import build, sam_without_weights
from ablate.predict import TrainedModel, load_runs, onnx_export
from ablate.registry import Catalogue
from ablate.spec import SamVariant
from ablate.study.trained_rows import TrainedRow

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def exported(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "with-graph"
    study.export("translandseg-4", folder, onnx=True)
    return folder


def _session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("count", [1, 3])
def test_it_gives_the_probabilities_of_the_model(exported: Path, count: int) -> None:
    model, images = ablate.load(exported), scenes(count, 64)
    (found,) = _session(exported / "model.onnx").run(None, {"images": images})
    pixels = np.rint(images.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    expected = np.stack([model.probability(image)[None] for image in pixels])
    assert found.dtype == np.float32
    assert found.shape == (count, 1, 64, 64)
    assert expected.std() > 0.01
    # Measured: 2e-6.
    assert np.abs(found - expected).max() < 1e-4


def test_deepness_opens_it(exported: Path) -> None:
    onnx = pytest.importorskip("onnx")
    session = _session(exported / "model.onnx")
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    # A batch with a name is one of any size to it.
    assert given.shape == ["batch", 3, 64, 64]
    assert made.shape == ["batch", 1, 64, 64]
    found = session.get_modelmeta().custom_metadata_map
    assert {name: json.loads(value) for name, value in found.items()} == {
        "model_type": "Segmentor",
        "class_names": {"0": "background", "1": "landslide"},
        "tile_size": 64,
        "tiles_overlap": 25,
        "seg_thresh": 0.5,
    }
    proto = onnx.load(exported / "model.onnx")
    onnx.checker.check_model(proto)
    assert [(each.domain, each.version) for each in proto.opset_import] == [("", 18)]
    # The onnxruntime that it installs, 1.17, reads files up to form 9.
    assert proto.ir_version <= 9


def test_a_known_ground_resolution_is_told_in_centimetres(row: TrainedRow) -> None:
    protocol = row.folders[0].spec().context.protocol
    assert onnx_export.deepness_metadata(protocol, 0.8)["resolution"] == "80.0"
    assert "resolution" not in onnx_export.deepness_metadata(protocol, None)


def test_the_card_and_the_manifest_name_it(exported: Path) -> None:
    digests = json.loads((exported / "ablate-export.json").read_text())["files"]
    content = (exported / "model.onnx").read_bytes()
    assert digests["model.onnx"] == hashlib.sha256(content).hexdigest()
    assert len(digests) == 5
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert "`model.onnx`: the whole model as an ONNX graph (operators of version 18)" in card
    assert sorted(path.name for path in exported.iterdir()) == sorted(
        [*digests, "README.md", "ablate-export.json"]
    )


def test_stac_tells_what_goes_into_the_graph(exported: Path) -> None:
    item = json.loads((exported / "stac-item.json").read_text(encoding="utf-8"))
    graph = item["assets"]["onnx"]
    content = (exported / "model.onnx").read_bytes()
    assert graph["roles"] == ["mlm:model", "mlm:compiled"]
    assert graph["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
    assert graph["file:size"] == len(content)
    assert graph["mlm:input"][0]["value_scaling"] == [
        {"type": "min-max", "minimum": 0, "maximum": 255}
    ]
    assert graph["mlm:output"][0]["name"] == "probabilities"


def test_a_graph_that_computes_something_else_is_not_published(
    exported: Path, row: TrainedRow
) -> None:
    other = load_runs(row.folders[1:], None, CPU)[0]
    reference = onnx_export._Probabilities(other.module, other.spec.context.protocol)
    images = torch.from_numpy(scenes(2, 64))
    with pytest.raises(StoreError, match="the ONNX graph of it differs from PyTorch by"):
        onnx_export._compare(exported / "model.onnx", reference, [images], "it")


def test_an_error_leaves_nothing(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(graph: nn.Module, images: torch.Tensor) -> None:
        raise RuntimeError("no operator for fancy\nmore")

    monkeypatch.setattr(onnx_export, "_program", refused)
    with pytest.raises(BadInput) as caught:
        study.export("translandseg-4", tmp_path / "new", onnx=True)
    assert str(caught.value) == (
        "translandseg-4 cannot be made an ONNX graph (RuntimeError: no operator for fancy); "
        "export it without --onnx"
    )
    assert not list(tmp_path.iterdir())


def test_packages_that_are_missing_are_one_line(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_onnxscript(name: str) -> object:
        return None if name == "onnxscript" else find_spec(name)

    monkeypatch.setattr(onnx_export, "find_spec", without_onnxscript)
    with pytest.raises(BadInput, match=r"needs onnxscript.*pip install 'ablate\[onnx\]'"):
        study.export("translandseg-4", tmp_path / "new", onnx=True)
    assert not list(tmp_path.iterdir())


# Variants ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["translandseg", "translandseg-released", "lora", "decoder-only", "adaptformer", "unet"],
)
def test_variants_of_every_kind(row: TrainedRow, tmp_path: Path, name: str) -> None:
    trained = as_if_trained(load_runs(row.folders[:1], None, CPU)[0], name)
    facts = onnx_export.write_onnx(trained, tmp_path)
    assert facts.files == ("model.onnx",)
    # Measured: 3e-4 for the untrained U-Net, less for all others.
    assert facts.difference < 1e-3
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    batch = scenes(3, 128)
    (found,) = _session(tmp_path / "model.onnx").run(None, {"images": batch})
    reference = onnx_export._Probabilities(trained.module, trained.spec.context.protocol).eval()
    with torch.no_grad():
        expected = reference(torch.from_numpy(batch))[0].numpy()
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.slow
def test_sam_at_its_full_size(row: TrainedRow, tmp_path: Path) -> None:
    model = load_runs(row.folders[:1], None, CPU)[0]
    torch.manual_seed(0)
    weights = sam_without_weights("vit_b", device="cpu").state_dict()
    variant = Catalogue().variant("translandseg")
    assert isinstance(variant, SamVariant)
    module = build(variant, "vit_b", image_size_px=1024, weights=weights, seed=0)
    perturb(module)
    protocol = model.spec.context.protocol.model_copy(update={"image_size_px": 1024})
    context = model.spec.context.model_copy(update={"protocol": protocol})
    spec = model.spec.model_copy(update={"variant": variant, "context": context})
    trained = TrainedModel(spec, module.eval(), CPU, None, "")
    facts = onnx_export.write_onnx(trained, tmp_path)
    assert facts.difference < 1e-4
    assert (tmp_path / "model.onnx").stat().st_size > 3.5e8
