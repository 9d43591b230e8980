"""Reading checkpoints strictly, and SAM-nano's own weights."""

from pathlib import Path

import pytest
import torch
from segment_anything import sam_model_registry
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.data.generated import scene
from ablate.errors import WeightsError
from ablate.models import build, load_weights, nano, with_random_encoder
from ablate.models.checkpoint import shapes_of
from ablate.models.sam import load_sam, sam_without_weights
from structures import STRUCTURES


class Code:
    """Something that only pickled code can restore."""


def refused(checkpoint: Path, backbone: str = "vit_b") -> str:
    with pytest.raises(WeightsError) as caught:
        load_weights(backbone, checkpoint)
    message = str(caught.value)
    assert "\n" not in message
    assert str(checkpoint) in message
    return message


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "sam.pth"


def test_an_absent_file_is_named(checkpoint: Path) -> None:
    message = refused(checkpoint)
    assert "there is no file" in message
    assert "sam_vit_b_01ec64.pth" in message


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path)


def test_a_web_page_is_recognised(checkpoint: Path) -> None:
    checkpoint.write_text("\n<!DOCTYPE html><html>404</html>")
    assert "web page" in refused(checkpoint)


def test_a_truncated_file_is_recognised(checkpoint: Path, nano_weights: dict[str, Tensor]) -> None:
    torch.save(nano_weights, checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:100_000])
    assert "cut short, at 100000 bytes" in refused(checkpoint)


@pytest.mark.parametrize("content", [b"", b"\x80\x02garbage", b"no checkpoint at all"])
def test_foreign_bytes_are_refused(checkpoint: Path, content: bytes) -> None:
    checkpoint.write_bytes(content)
    assert "not a checkpoint of plain tensors" in refused(checkpoint)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_refused(checkpoint: Path, zipped: bool) -> None:
    torch.save({"model": Code()}, checkpoint, _use_new_zipfile_serialization=zipped)
    assert "pickled code is never run" in refused(checkpoint)


def test_something_else_than_a_state_dict_is_refused(
    checkpoint: Path, nano_weights: dict[str, Tensor]
) -> None:
    torch.save({"model": nano_weights, "epoch": 3}, checkpoint)
    assert "something else than a state dict" in refused(checkpoint)


def test_the_weights_of_another_sam_are_recognised(
    checkpoint: Path, nano_weights: dict[str, Tensor]
) -> None:
    torch.save(nano_weights, checkpoint)
    message = refused(checkpoint)
    assert "holds the weights of vit_nano, not of vit_b" in message
    assert "use backbone vit_nano" in message


def test_missing_and_unexpected_names_are_listed(
    checkpoint: Path, nano_weights: dict[str, Tensor]
) -> None:
    encoder = {name: t for name, t in nano_weights.items() if name.startswith("image_encoder.")}
    torch.save(encoder | {"extra.weight": torch.zeros(1)}, checkpoint)
    message = refused(checkpoint)
    assert "missing: image_encoder.blocks.10.attn.proj.bias" in message
    assert "unexpected: extra.weight" in message
    assert "misshapen: image_encoder." in message
    # Eight blocks of 14 tensors and everything outside the encoder; three are shown.
    left_out = len(nano_weights) - len(encoder)
    assert f", … ({8 * 14 + left_out})" in message


def test_misshapen_tensors_are_listed(checkpoint: Path) -> None:
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in sam_model_registry["vit_b"]().state_dict().items()}
    # Expanding one number costs no memory, on disk or off.
    zero = torch.zeros(())
    weights = {name: zero.expand(shape) for name, shape in shapes.items()}
    weights["image_encoder.pos_embed"] = zero.expand(1, 32, 32, 768)
    torch.save(weights, checkpoint)
    message = refused(checkpoint)
    assert "misshapen: image_encoder.pos_embed (1, 32, 32, 768) for (1, 64, 64, 768)" in message
    assert "missing" not in message


def test_an_official_backbone_needs_a_checkpoint() -> None:
    with pytest.raises(WeightsError, match=r"vit_l needs SAM's weights; .*sam_vit_l_0b3195\.pth"):
        load_weights("vit_l", None)


def test_nano_takes_no_checkpoint(checkpoint: Path) -> None:
    assert "leave the checkpoint out" in refused(checkpoint, "vit_nano")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_fitting_checkpoint_is_loaded_and_built(checkpoint: Path, zipped: bool) -> None:
    with torch.device("meta"):
        official = sam_model_registry["vit_b"]().state_dict()
    number = torch.full((), 0.25)
    torch.save(
        {name: number.expand(value.shape) for name, value in official.items()},
        checkpoint,
        _use_new_zipfile_serialization=zipped,
    )
    weights = load_weights("vit_b", checkpoint)
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value in official.items()
    }
    assert weights["image_encoder.neck.0.weight"][7, 7, 0, 0] == 0.25
    variant = STRUCTURES["translandseg"]
    model = build(variant, "vit_b", image_size_px=1024, weights=weights, seed=0)
    assert model.count_parameters().trainable == 4_058_340 + 12 * (768 * 5 + 8)


def test_nanos_weights_are_the_same_every_time(nano_weights: dict[str, Tensor]) -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    again = load_weights("vit_nano", None)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(again[name], value) for name, value in nano_weights.items())
    assert all(value.isfinite().all() for value in nano_weights.values())


def test_nanos_file_is_a_sam_in_the_official_layout(nano_weights: dict[str, Tensor]) -> None:
    assert shapes_of(nano_weights) == shapes_of(sam_without_weights("vit_nano").state_dict())
    assert {value.dtype for value in nano_weights.values()} == {torch.float32}
    assert nano.PATH.stat().st_size < 10e6


@pytest.mark.parametrize("damage", ["missing", "another byte"])
def test_a_damaged_file_of_nano_is_refused(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nano.safetensors"
    if damage == "another byte":
        content = bytearray(nano.PATH.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    monkeypatch.setattr(nano, "PATH", path)
    with pytest.raises(WeightsError, match=r"missing or damaged.*install ablate again"):
        load_weights("vit_nano", None)


def test_nanos_frozen_encoder_keeps_the_picture(nano_weights: dict[str, Tensor]) -> None:
    """A linear map reads the colours of 4x4 px cells of landslide scenes from the embedding.

    Pre-training on other scenes asks for that beside masks. From an encoder with the usual random
    start, it reads two thirds of their variance.
    """
    scenes = torch.stack([torch.from_numpy(scene(5, index, 128)[0]) for index in range(64)])
    random = with_random_encoder(nano_weights, "vit_nano", seed=0)
    read = {}
    for name, weights in (("pre-trained", nano_weights), ("random", random)):
        sam = load_sam("vit_nano", image_size_px=128, weights=weights)
        pixels = sam.preprocess(scenes.permute(0, 3, 1, 2).float())
        with torch.no_grad():
            tokens = sam.image_encoder(pixels).permute(0, 2, 3, 1).reshape(-1, 64).double()
        cells = F.pixel_unshuffle(F.avg_pool2d(pixels, 4), 4)
        colours = cells.permute(0, 2, 3, 1).reshape(-1, 48).double()
        known, unknown = slice(0, 3072), slice(3072, None)
        reader = torch.linalg.lstsq(tokens[known], colours[known]).solution
        error = (tokens[unknown] @ reader - colours[unknown]).square().mean()
        read[name] = float(1 - error / colours[unknown].var())
    assert read["pre-trained"] > 0.85 > 0.75 > read["random"]
