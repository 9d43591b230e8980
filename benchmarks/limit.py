"""How near a training pass through SAM's encoder comes to what the device can multiply.

Needed work is that of the matrix products: projections and MLPs of the map's own tokens, scores
and weighted sums of attention. On the way back to the input a product with frozen weights needs one
product, one of attention two. What is computed again to save memory is not needed work.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from ablate.models.attention import replace_attention
from ablate.models.sam import sam_without_weights
from ablate.spec import BACKBONES, PATCH_SIZE_PX, BackboneName

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def needed_gflop(backbone: BackboneName) -> tuple[float, float]:
    """Forward, and forward with the gradient back to the first block's input, of one image."""
    geometry = BACKBONES[backbone]
    wide, side = geometry.width, geometry.image_size_px // PATCH_SIZE_PX
    tokens = side * side
    # Multiply and add: two operations. qkv and projection are 4 M², the MLP 8 M².
    linear = geometry.depth * 2 * tokens * 12 * wide * wide
    windows = math.ceil(side / geometry.window) ** 2
    pairs = {
        "global": len(geometry.global_blocks) * tokens * tokens,
        "window": (geometry.depth - len(geometry.global_blocks)) * windows * geometry.window**4,
    }
    attention = sum(pairs.values()) * 2 * 2 * wide
    forward = linear + attention
    backward = linear + 2 * attention
    return forward / 1e9, (forward + backward) / 1e9


def seconds(run: Callable[[], object], device: str) -> float:
    """Wall time."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def product(device: str, precision: str, side: int) -> Callable[[], object]:
    """One large square matrix product."""
    a, b = (torch.randn(side, side, device=device).to(PRECISIONS[precision]) for _ in range(2))
    return lambda: a @ b


def encoder_pass(
    backbone: BackboneName,
    device: str,
    precision: str,
    batch: int,
    *,
    sams_attention: bool = False,
) -> Callable[[], None]:
    """Forward and backward through all blocks with respect to the first one's input."""
    encoder = sam_without_weights(backbone).image_encoder
    if not sams_attention:
        replace_attention(encoder)
    encoder = encoder.to_empty(device=device)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.02).requires_grad_(False)
    if precision == "bfloat16":
        # As in training: autocast would copy frozen weights anew in every pass.
        for module in encoder.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.bfloat16()
    side = BACKBONES[backbone].image_size_px // PATCH_SIZE_PX
    shape = (batch, side, side, BACKBONES[backbone].width)
    x = torch.randn(shape, device=device, requires_grad=True)

    def run() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            out = x
            for block in encoder.blocks:
                out = block(out)
        torch.autograd.grad(out, x, torch.ones_like(out))

    return run


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--product-side", type=int, default=4096)
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=["vit_b", "vit_l"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device, precision = arguments.device, arguments.precision
    side, batch = arguments.product_side, arguments.batch
    reference = product(device, precision, side)
    passes = {name: encoder_pass(name, device, precision, batch) for name in arguments.backbones}
    # Of each backbone: the rate of the product just before, and the time of the pass.
    found: dict[BackboneName, list[tuple[float, float]]] = {name: [] for name in passes}
    for round_ in range(arguments.rounds + 1):
        for name, run in passes.items():
            # Two products: the first brings the caches and the clock to where a long one has them.
            seconds(reference, device)
            rate = 2 * side**3 / seconds(reference, device) / 1e9
            spent = seconds(run, device)
            if round_:  # the first round fills the allocator
                found[name].append((rate, spent))
    rates = [rate for measured in found.values() for rate, _ in measured]
    sys.stdout.write(
        f"{device}, {precision}, {arguments.threads} threads, batch {batch}; a product of two "
        f"matrices of {side}×{side}: {statistics.median(rates):,.0f} GFLOP/s "
        f"({min(rates):,.0f}…{max(rates):,.0f})\n\n"
        "| backbone | an image needs, forward | and backward | a pass | range | rate "
        "| of the product's |\n"
        "| --- | --: | --: | --: | --: | --: | --: |\n"
    )
    for name, measured in found.items():
        forward, whole = needed_gflop(name)
        times = [spent for _, spent in measured]
        reached = [whole * batch / spent for spent in times]
        share = statistics.median(
            each / rate for each, (rate, _) in zip(reached, measured, strict=True)
        )
        sys.stdout.write(
            f"| {BACKBONES[name].label} | {forward:,.0f} GFLOP | {whole:,.0f} GFLOP "
            f"| {statistics.median(times):.2f} s | {min(times):.2f}…{max(times):.2f} s "
            f"| {statistics.median(reached):,.0f} GFLOP/s | {share:.0%} |\n"
        )


if __name__ == "__main__":
    main()
