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

from ablate.models.attention import install
from ablate.models.sam import bare
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


def median_seconds(run: Callable[[], object], rounds: int, device: str) -> float:
    """Median wall time of a run, the first left out."""
    spent = []
    for _ in range(rounds + 1):
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent[1:])


def gemm_gflops(device: str, precision: str, side: int, rounds: int) -> float:
    """Rate of one large square matrix product, in GFLOP a second."""
    a, b = (torch.randn(side, side, device=device).to(PRECISIONS[precision]) for _ in range(2))
    return 2 * side**3 / median_seconds(lambda: a @ b, rounds, device) / 1e9


def encoder_pass(
    backbone: BackboneName, device: str, precision: str, batch: int
) -> Callable[[], None]:
    """Forward and backward through all blocks with respect to the first one's input."""
    encoder = bare(backbone).image_encoder
    install(encoder)
    encoder = encoder.to_empty(device=device)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.02).requires_grad_(False)
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
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--gemm-side", type=int, default=4096)
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=["vit_b", "vit_l"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device, precision = arguments.device, arguments.precision
    rate = gemm_gflops(device, precision, arguments.gemm_side, arguments.rounds)
    sys.stdout.write(
        f"{device}, {precision}, {arguments.threads} threads, batch {arguments.batch}; "
        f"a {arguments.gemm_side}³ product: {rate:,.0f} GFLOP/s\n\n"
        "| backbone | forward needs | with backward | a pass | rate | of the product's |\n"
        "| --- | --: | --: | --: | --: | --: |\n"
    )
    for backbone in arguments.backbones:
        forward, whole = needed_gflop(backbone)
        run = encoder_pass(backbone, device, precision, arguments.batch)
        spent = median_seconds(run, arguments.rounds, device)
        reached = whole * arguments.batch / spent
        sys.stdout.write(
            f"| {BACKBONES[backbone].label} | {forward:,.0f} GFLOP | {whole:,.0f} GFLOP "
            f"| {spent:.2f} s | {reached:,.0f} GFLOP/s | {reached / rate:.0%} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
