"""Whole training steps of TransLandSeg: images per second and peak memory, on a GPU at 1024×1024.

The released style is SAM's own attention in float32 with batches of 2. A step is forward, loss,
backward and AdamW on a batch that lies on the device; weights are random. A cohort of ten is ten
models on one image encoder, which take the batch one after the other; each counts its images. The
largest batch is found by doubling and halving. Peak memory is all that PyTorch's allocator held,
weights included, and images per second are medians of steps in turn within a style: each style has
the device for itself.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ablate.models.sam import build, sam_without_weights, with_half_precision_encoder
from ablate.registry import Catalogue
from ablate.spec import BACKBONES, BackboneName
from ablate.train.loss import segmentation_loss


@dataclass(frozen=True)
class Style:
    """A way to train.

    Attributes:
        label: What it is called in the table.
        sams_attention: SAM's own attention instead of ablate's.
        half: Autocast to bfloat16; the image encoder is held in it where the attention is ablate's.
        models: How many share the image encoder and the batch.
    """

    label: str
    sams_attention: bool
    half: bool
    models: int = 1


RELEASED = Style("released style: SAM's attention, float32", True, False)
OURS = Style("ablate, bfloat16", False, True)
STYLES = (
    RELEASED,
    Style("SAM's attention, bfloat16", True, True),
    Style("ablate, float32", False, False),
    OURS,
    Style("ablate, bfloat16, a cohort of ten", False, True, models=10),
)


def random_weights(backbone: BackboneName, device: str) -> dict[str, torch.Tensor]:
    """Of a whole SAM, in the official layout."""
    shapes = {
        name: value.shape for name, value in sam_without_weights(backbone).state_dict().items()
    }
    return {name: 0.02 * torch.randn(shape, device=device) for name, shape in shapes.items()}


def a_step(style: Style, backbone: BackboneName, batch: int, device: str) -> Callable[[], None]:
    """One step of each model of the style."""
    catalogue = Catalogue()
    protocol = catalogue.protocol("paper")
    side_px = BACKBONES[backbone].image_size_px
    weights = random_weights(backbone, device)
    if style.half and not style.sams_attention:
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
        trained = [value for value in model.parameters() if value.requires_grad]
        models.append((model, torch.optim.AdamW(trained, protocol.optimizer.lr)))
    images = torch.randn(batch, 3, side_px, side_px, device=device)
    masks = (images[:, :1] > 0).float()

    def run() -> None:
        for model, optimizer in models:
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=style.half):
                logits = model(images)
            segmentation_loss(logits, masks, protocol.loss).backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def measured(
    style: Style, backbone: BackboneName, batch: int, device: str, rounds: int
) -> tuple[list[float], float] | None:
    """Seconds of each step and peak memory in GB; None if the memory does not suffice."""
    # What a failed attempt or the style before has left would count as this one's.
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        run = a_step(style, backbone, batch, device)
        run()  # fills the allocator
        spent = []
        for _ in range(rounds):
            started = time.perf_counter()
            run()
            spent.append(time.perf_counter() - started)
    except torch.OutOfMemoryError:
        return None
    peak = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0
    return spent, peak


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


def row(label: str, batch: int, images: int, found: tuple[list[float], float] | None) -> str:
    """A line of the table without what it is compared with."""
    if found is None:
        return f"| {label} | {batch} | does not fit | | |"
    spent, peak = found
    rates = [images / each for each in spent]
    return (
        f"| {label} | {batch} | {statistics.median(rates):.2f} "
        f"| {min(rates):.2f}…{max(rates):.2f} | {peak:.1f} GB |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument(
        "--backbones", nargs="+", choices=BACKBONES, default=["vit_b", "vit_l", "vit_h"]
    )
    arguments = parser.parse_args()
    device, rounds = arguments.device, arguments.rounds
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU; --device cpu --backbones vit_nano tries the script itself")
    sys.stdout.write(
        "| backbone | style | batch | images per second | range | peak memory "
        "| times the released style's images |\n"
        "| --- | --- | --: | --: | --: | --: | --: |\n"
    )
    for backbone in arguments.backbones:
        cases = [(style, arguments.batch) for style in STYLES]
        if device == "cuda":
            cases += [(style, most(style, backbone)) for style in (RELEASED, OURS)]
        released_s = None
        for style, batch in cases:
            images = batch * style.models
            found = measured(style, backbone, batch, device, rounds) if batch else None
            if found and style is RELEASED and released_s is None:
                released_s = statistics.median(found[0]) / images
            faster = "–"
            if found and released_s:
                faster = f"{released_s / statistics.median(found[0]) * images:.2f}"
            line = row(style.label, batch, images, found)
            sys.stdout.write(f"| {BACKBONES[backbone].label} {line} {faster} |\n")
            sys.stdout.flush()


def most(style: Style, backbone: BackboneName) -> int:
    """The largest batch of a style on the GPU."""
    return largest_batch(lambda batch: measured(style, backbone, batch, "cuda", 1) is not None)


if __name__ == "__main__":
    main()
