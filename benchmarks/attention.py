"""SAM's encoder at its native size, forward and backward: ablate's attention, SAM's, transformers'.

A training step of the frozen image encoder: the gradient reaches the input, no weight gets one.
Hugging Face's transformers takes part where it is installed (its ``sdpa`` attention).
Time: all in turn within each round; ratios are medians over the rounds. Memory: each in a fresh
process, what one pass adds to what the block and its input take.
"""

import argparse
import importlib.util
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from ablate.models.attention import replace_attention
from ablate.models.sam import sam_without_weights
from ablate.spec import BACKBONES, PATCH_SIZE_PX, BackboneName

CODES = ("segment_anything", "transformers", "ablate")
PRECISIONS = ("float32", "bfloat16")


class First(nn.Module):
    """A block that may give a tuple, as one that gives its first element."""

    def __init__(self, block: nn.Module) -> None:
        """Keeps the block."""
        super().__init__()
        self.block = block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps BxHxWxM to BxHxWxM."""
        out = self.block(x)
        return out[0] if isinstance(out, tuple) else out


def blocks_of(backbone: BackboneName, code: str) -> list[nn.Module]:
    """The encoder's blocks in the code of one implementation, without values."""
    if code != "transformers":
        encoder = sam_without_weights(backbone).image_encoder
        if code == "ablate":
            replace_attention(encoder)
        return list(encoder.blocks)
    from transformers import SamVisionConfig
    from transformers.models.sam.modeling_sam import SamVisionEncoder

    geometry = BACKBONES[backbone]
    config = SamVisionConfig(
        hidden_size=geometry.width,
        num_hidden_layers=geometry.depth,
        num_attention_heads=geometry.heads,
        global_attn_indexes=list(geometry.global_blocks),
        window_size=geometry.window,
        image_size=geometry.image_size_px,
        mlp_dim=4 * geometry.width,
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        return [First(layer) for layer in SamVisionEncoder(config).layers]


def frozen(backbone: BackboneName, part: str, code: str, device: str) -> nn.Module:
    """A global block, a block with windows, or the whole encoder, with random values."""
    at = {"global": BACKBONES[backbone].global_blocks[0], "window": 0}
    # The encoder's patch embedding has no gradient to compute: its blocks are what trains.
    blocks = blocks_of(backbone, code)
    chosen = blocks if part == "encoder" else blocks[at[part] : at[part] + 1]
    module = nn.Sequential(*chosen).to_empty(device=device)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.02)
    return module.requires_grad_(False)


def a_pass(
    backbone: BackboneName, part: str, code: str, device: str, precision: str
) -> Callable[[], None]:
    """Forward and backward with respect to the input of one image."""
    module = frozen(backbone, part, code, device)
    side = BACKBONES[backbone].image_size_px // PATCH_SIZE_PX
    x = torch.randn(1, side, side, BACKBONES[backbone].width, device=device, requires_grad=True)

    def run() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            out = module(x)
        torch.autograd.grad(out, x, torch.ones_like(out))
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def peak_bytes(
    backbone: BackboneName, part: str, code: str, device: str, precision: str, threads: int
) -> int:
    """Memory that a pass adds, in a process that has done nothing else."""
    torch.set_num_threads(threads)

    def highest() -> int:
        if device == "cuda":
            return torch.cuda.max_memory_allocated()
        # Not getrusage's, which begins at what the parent process held.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    run = a_pass(backbone, part, code, device, precision)
    before = highest()
    run()
    return highest() - before


def seconds(run: Callable[[], None]) -> float:
    """Wall time."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def rows(
    backbone: BackboneName, part: str, codes: list[str], arguments: argparse.Namespace
) -> list[str]:
    """Measures one part with each code in turn."""
    how = (arguments.device, arguments.precision)
    peaks: dict[str, int] = {}
    for code in codes:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as fresh:
            job = fresh.submit(peak_bytes, backbone, part, code, *how, arguments.threads)
            # What does not fit into a GPU is left out of the rounds.
            with suppress(torch.OutOfMemoryError):
                peaks[code] = job.result()
    runs = {code: a_pass(backbone, part, code, *how) for code in peaks}
    times: dict[str, list[float]] = {code: [] for code in codes}
    for repetition in range(arguments.rounds + 1):
        for code, run in runs.items():
            spent = seconds(run)
            if repetition:  # the first round fills caches and the allocator
                times[code].append(spent)
    start = f"| {BACKBONES[backbone].label} | {part}"
    return [f"{start} | {code} | {_cells(code, codes[0], times, peaks)} |" for code in codes]


def _cells(code: str, reference: str, times: dict[str, list[float]], peaks: dict[str, int]) -> str:
    """Time and memory of a code, and how many times the reference's they are."""
    if code not in peaks:
        return "does not fit | | | |"
    spent, slower, share = times[code], "–", "–"
    if reference in peaks:
        ratios = [a / b for a, b in zip(spent, times[reference], strict=True)]
        slower = f"{statistics.median(ratios):.2f}"
        # A pass of SAM-nano may fit into memory that the process holds already.
        share = f"{peaks[code] / peaks[reference]:.2f}" if peaks[reference] else "–"
    return (
        f"{statistics.median(spent):.3f} s | {min(spent):.3f}…{max(spent):.3f} s | {slower} "
        f"| {peaks[code] / 1e9:.2f} GB | {share}"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--blocks",
        nargs="*",
        choices=BACKBONES,
        default=["vit_b", "vit_l"],
        help="backbones of which a global block and one with windows are measured",
    )
    parser.add_argument(
        "--encoders",
        nargs="*",
        choices=BACKBONES,
        default=["vit_b"],
        help="backbones of which all blocks are measured",
    )
    parser.add_argument(
        "--codes", nargs="+", choices=CODES, help="only these, for instance where one does not fit"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    installed = [code for code in CODES if importlib.util.find_spec(code)]
    codes = arguments.codes or installed
    missing = [code for code in CODES if code not in installed]
    sys.stdout.write(
        f"{arguments.device}, {arguments.precision}, {arguments.threads} threads, batch 1\n\n"
        "| backbone | part | code | median | range | times the first's | added memory | times |\n"
        "| --- | --- | --- | --: | --: | --: | --: | --: |\n"
    )
    measured = [(backbone, part) for backbone in arguments.blocks for part in ("global", "window")]
    measured += [(backbone, "encoder") for backbone in arguments.encoders]
    for backbone, part in measured:
        sys.stdout.write("\n".join(rows(backbone, part, codes, arguments)) + "\n")
        sys.stdout.flush()
    if missing and not arguments.codes:
        sys.stdout.write(f"\nNot installed: {', '.join(missing)}.\n")


if __name__ == "__main__":
    main()
