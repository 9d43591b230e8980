"""SAM at its own size, 1024x1024, on the CPU: what small models cannot show."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from segment_anything import sam_model_registry
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ablate.models import Segmenter, build, load_weights
from ablate.spec import BackboneName, SamVariant
from structures import RELEASED, STRUCTURES

pytestmark = pytest.mark.slow

SIZE_PX = 1024


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[BackboneName, Path]]:
    """Files in the official layout with random values, made on demand; removed in the end."""
    folder = tmp_path_factory.mktemp("sam")

    class Files(dict[BackboneName, Path]):
        def __missing__(self, backbone: BackboneName) -> Path:
            torch.manual_seed(0)
            sam = sam_model_registry[backbone]()
            for value in sam.parameters():
                torch.nn.init.normal_(value, std=0.02)
            self[backbone] = folder / f"{backbone}.pth"
            torch.save(sam.state_dict(), self[backbone])
            return self[backbone]

    files = Files()
    yield files
    for path in files.values():
        path.unlink()


def image() -> Tensor:
    return torch.randn(1, 3, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(1))


def built(
    variant: SamVariant, backbone: BackboneName, path: Path, *, sams_attention: bool = False
) -> Segmenter:
    return build(
        variant,
        backbone,
        image_size_px=SIZE_PX,
        weights=load_weights(backbone, path),
        seed=0,
        sams_attention=sams_attention,
    )


@pytest.mark.parametrize("backbone", ["vit_b", "vit_l"])
def test_before_training_encoder_and_decoder_are_sams_own_bit_for_bit(
    checkpoint: dict[BackboneName, Path], backbone: BackboneName
) -> None:
    official = sam_model_registry[backbone](checkpoint[backbone])
    variant, path = STRUCTURES["translandseg"], checkpoint[backbone]
    with torch.inference_mode():
        embeddings = official.image_encoder(image())
        sparse, dense = official.prompt_encoder(points=None, boxes=None, masks=None)
        masks, _ = official.mask_decoder.predict_masks(
            embeddings, official.prompt_encoder.get_dense_pe(), sparse, dense
        )
        del official
        ours = built(variant, backbone, path, sams_attention=True)
        own = ours.image_encoder(image())
        assert torch.equal(own, embeddings)
        decoded, _ = ours.mask_decoder.predict_masks(
            own, ours.image_pe, sparse, ours.no_mask.expand_as(ours.image_pe)
        )
        assert torch.equal(decoded, masks)
        del ours
        # Training's own attention differs by rounding alone.
        exact = built(variant, backbone, path).image_encoder(image())
    torch.testing.assert_close(exact, embeddings, rtol=0, atol=1e-5 * float(embeddings.std()))


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(STRUCTURES["translandseg"], id="translandseg"),
        pytest.param(STRUCTURES["translandseg-6"], id="translandseg-6"),
        pytest.param(RELEASED["translandseg-released"], id="translandseg-released"),
    ],
)
def test_one_step_of_vit_l(checkpoint: dict[BackboneName, Path], variant: SamVariant) -> None:
    model = built(variant, "vit_l", checkpoint["vit_l"])
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    before = {name: value.detach().clone() for name, value in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), lr=2e-4, weight_decay=0.01)
    logits = model(image())
    assert logits.shape == (1, 1, SIZE_PX, SIZE_PX)
    loss = F.binary_cross_entropy_with_logits(logits, (image()[:, :1] > 0).float())
    loss.backward()
    assert torch.isfinite(loss)
    # Before the first step a zero up-projection lets no gradient through to what lies below it.
    assert {
        name for name in trained if trained[name].grad is None
    } <= model.parameters_without_gradient()
    reached = {
        name for name, value in trained.items() if value.grad is not None and value.grad.any()
    }
    assert any(".up." in name for name in reached)
    optimizer.step()
    assert all(not torch.equal(trained[name], before[name]) for name in reached)
    assert all(value.grad is None for value in model.parameters() if not value.requires_grad)
