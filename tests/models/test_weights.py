"""Reading checkpoints strictly, and SAM-nano's own weights."""

from pathlib import Path

import pytest
import torch
from nano_helpers import Build
from segment_anything import sam_model_registry
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.errors import WeightsError
from ablate.models import build, load_weights
from structures import DECODER_ONLY, STRUCTURES


class Code:
    """Something that only unpickling code could bring back."""


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
    assert model.parameters_counted().trainable == 4_058_340 + 12 * (768 * 5 + 8)


def test_nanos_weights_are_the_same_every_time(nano_weights: dict[str, Tensor]) -> None:
    torch.manual_seed(3)
    state = torch.get_rng_state()
    again = load_weights("vit_nano", None)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(again[name], value) for name, value in nano_weights.items())
    assert all(value.isfinite().all() for value in nano_weights.values())


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("image_encoder.patch_embed.proj.weight", 3163.286684),
        ("image_encoder.pos_embed", 190.139748),
        ("image_encoder.blocks.0.attn.qkv.weight", 1781.888640),
        ("image_encoder.blocks.0.attn.proj.weight", 226.176859),
        ("image_encoder.blocks.3.mlp.lin2.weight", 746.262655),
        ("image_encoder.blocks.1.attn.rel_pos_h", 140.0),
        ("image_encoder.neck.0.weight", 500.401246),
        ("mask_decoder.output_upscaling.3.weight", 101.778485),
        ("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 43.661708),
    ],
)
def test_nanos_recipe_is_the_one_that_its_version_names(
    nano_weights: dict[str, Tensor], name: str, size: float
) -> None:
    """Another recipe needs another version in ablate.spec.NANO_WEIGHTS, then other numbers."""
    assert nano_weights[name].double().abs().sum().item() == pytest.approx(size, rel=1e-6)


def test_nanos_frozen_encoder_keeps_the_picture(build_nano: Build) -> None:
    """A linear map reads the colours of 4x4 px cells from the embedding of 16x16 px patches.

    From an encoder with the usual random start, it reads 7 % of their variance.
    """
    generator = torch.Generator().manual_seed(1)
    cells = torch.randn(48, 3, 32, 32, generator=generator, dtype=torch.float64)
    encoder = build_nano(DECODER_ONLY).image_encoder.double()
    with torch.no_grad():
        tokens = encoder(F.interpolate(cells, scale_factor=4)).permute(0, 2, 3, 1).reshape(-1, 64)
    colours = cells.reshape(48, 3, 8, 4, 8, 4).permute(0, 2, 4, 1, 3, 5).reshape(-1, 48)
    known, asked = slice(0, 1536), slice(1536, None)
    read = torch.linalg.lstsq(tokens[known], colours[known]).solution
    error = (tokens[asked] @ read - colours[asked]).square().mean()
    assert 1 - error / colours[asked].var() > 0.8
