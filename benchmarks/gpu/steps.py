"""Whole training steps of TransLandSeg: images per second and peak memory at 1024x1024.

The released style is SAM's own attention in float32 with batches of 2. A step is forward, loss,
backward and AdamW on a batch that lies on the device; weights are random. A cohort of ten is ten
models on one image encoder, which take the batch one after the other; each counts its images. The
largest batch is found by doubling and halving. Peak memory is all that PyTorch's allocator held,
weights included, and images per second are medians of steps in turn; each style has the device for
itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ablate.models import SegmentationModel
from ablate.models.devices import computing_in
from ablate.models.sam import build, sam_without_weights, with_half_precision_encoder
from ablate.registry import Catalogue
from ablate.spec import BACKBONES, BackboneName, Precision
from ablate.train.loss import segmentation_loss
from benchmarks.gpu.part import Part, measured, run


@dataclass(frozen=True)
class Style:
    """A way to train.

    Attributes:
        label: What it is called in the table.
        sams_attention: SAM's own attention instead of ablate's.
        precision: bfloat16 is autocast; ablate's image encoder is then held in it.
        models: How many share the image encoder and the batch.
    """

    label: str
    sams_attention: bool
    precision: Precision
    models: int = 1


RELEASED = Style("released style: SAM's attention, float32", True, "float32")
OURS = Style("ablate, bfloat16", False, "bfloat16")
STYLES = (
    RELEASED,
    OURS,
    Style("SAM's attention, bfloat16", True, "bfloat16"),
    Style("ablate, float32", False, "float32"),
    Style("ablate, tf32", False, "tf32"),
    Style("ablate, bfloat16, a cohort of ten", False, "bfloat16", models=10),
)


def random_weights(backbone: BackboneName, device: str) -> dict[str, torch.Tensor]:
    """Of a whole SAM, in the official layout."""
    shapes = {
        name: value.shape for name, value in sam_without_weights(backbone).state_dict().items()
    }
    return {name: 0.02 * torch.randn(shape, device=device) for name, shape in shapes.items()}


def a_step(
    style: Style,
    backbone: BackboneName,
    batch: int,
    device: str,
    prepare: Callable[[SegmentationModel], None] = lambda model: None,
) -> Callable[[], None]:
    """One step of each model of the style, after something is done with each."""
    catalogue = Catalogue()
    protocol = catalogue.protocol("paper")
    side_px = BACKBONES[backbone].image_size_px
    weights = random_weights(backbone, device)
    half = style.precision == "bfloat16"
    if half and not style.sams_attention:
        weights = with_half_precision_encoder(weights, backbone)
    models = []
    for seed in range(style.models):
        model = build(
            catalogue.variant("translandseg"),
            backbone,
            image_size_px=side_px,
            weights=weights,
            seed=seed,
            sams_attention=style.sams_attention,
        )
        prepare(model)
        trained = [value for value in model.parameters() if value.requires_grad]
        models.append((model, torch.optim.AdamW(trained, protocol.optimizer.lr)))
    images = torch.randn(batch, 3, side_px, side_px, device=device)
    masks = (images[:, :1] > 0).float()

    def step() -> None:
        for model, optimizer in models:
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=half):
                logits = model(images)
            segmentation_loss(logits, masks, protocol.loss).backward()
            optimizer.step()

    return step


def largest_batch(fits: Callable[[int], bool]) -> int:
    """The largest batch that fits, to within an eighth; 0: not even one image does."""
    step, most = 1, 0
    while fits(step):
        most, step = step, 2 * step
    while step // 2 >= max(1, most // 8):
        step //= 2
        if fits(most + step):
            most += step
    return most


def measure(part: Part) -> None:
    """Says a row for each style, the paper's backbone first."""
    backbones: tuple[BackboneName, ...] = ("vit_l", "vit_b", "vit_h")
    if part.tiny:
        backbones = ("vit_nano",)
    rounds = 2 if part.tiny else 5
    released: dict[BackboneName, float] = {}

    def say(style: Style, backbone: BackboneName, batch: int, label: str) -> bool:
        with computing_in(torch.device(part.device), style.precision):
            found = measured(
                lambda: a_step(style, backbone, batch, part.device), part.device, rounds
            )
        cells = {"backbone": BACKBONES[backbone].label, "style": label, "batch": batch}
        if isinstance(found, str):
            part.row({**cells, "images/s": None, "range": found, "peak GB": None, "times": None})
            return False
        images = batch * style.models
        rates = [images / each for each in found.times_s]
        median = images / found.median_s
        if style is RELEASED:
            released.setdefault(backbone, median)
        part.row(
            {
                **cells,
                "images/s": median,
                "range": f"{min(rates):.4g}…{max(rates):.4g}",
                "peak GB": found.peak_gb,
                "times": median / released[backbone] if backbone in released else None,
            }
        )
        return True

    for backbone in backbones:
        for style in STYLES:
            say(style, backbone, 2, style.label)

    def fits(style: Style, batch: int) -> bool:
        # A CPU has no memory that would be full in time.
        is_possible = part.device == "cuda" or batch <= 2
        return is_possible and say(style, backbones[0], batch, f"{style.label}, larger batches")

    for style in (OURS, RELEASED):
        most = largest_batch(lambda batch, style=style: fits(style, batch))
        part.note(f"The largest batch of {BACKBONES[backbones[0]].label}, {style.label}: {most}.")


if __name__ == "__main__":
    run(measure)
