"""Whether training in bfloat16 ends where training in float32 does, and what it holds.

A few variants of the demo learn from the same batches from the same start, twice: once in float32,
once under autocast in bfloat16, on frozen weights in bfloat16. Processors without the instructions
compute bfloat16 slowly, but round as those that have them: losses mean something anywhere, times
do not, and none are printed. The difference is paired by seed; the spread is the standard
deviation between seeds in float32.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from _training import Curve, train_curves

from ablate.models import with_half_precision_encoder
from ablate.models.sam import sam_without_weights
from ablate.registry import Catalogue
from ablate.spec import BACKBONES, Precision

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
METRICS = ("train_loss", "val_loss", "miou")
CPU = torch.device("cpu")


def means(curves: Sequence[Curve], epoch: int, metric: str) -> dict[Precision, float]:
    """A metric in each precision: the mean over seeds."""
    return {
        precision: statistics.fmean(
            curve.epochs[epoch][metric] for curve in curves if curve.precision == precision
        )
        for precision in PRECISIONS
    }


def curve_table(name: str, curves: Sequence[Curve]) -> str:
    """The losses of a variant, epoch by epoch, side by side."""
    lines = [
        f"**{name}**, mean over seeds\n",
        "| epoch | training loss, float32 | bfloat16 | validation loss, float32 | bfloat16 |",
        "| --: | --: | --: | --: | --: |",
    ]
    for epoch in range(len(curves[0].epochs)):
        cells = [
            f"{means(curves, epoch, metric)[precision]:.4f}"
            for metric in METRICS[:2]
            for precision in PRECISIONS
        ]
        lines.append(f"| {epoch + 1} | {' | '.join(cells)} |")
    return "\n".join(lines)


def final_rows(name: str, curves: Sequence[Curve]) -> list[str]:
    """The last epoch in both precisions, and their difference beside the spread."""
    rows = []
    for metric in METRICS[1:]:
        last = {(curve.precision, curve.seed): curve.epochs[-1][metric] for curve in curves}
        seeds = sorted({curve.seed for curve in curves})
        differences = [last["bfloat16", seed] - last["float32", seed] for seed in seeds]
        each = ", ".join(f"{difference:+.4f}" for difference in differences)
        spread = "-"
        if len(seeds) > 1:
            spread = f"{statistics.stdev(last['float32', seed] for seed in seeds):.4f}"
        mean = means(curves, -1, metric)
        rows.append(
            f"| {name} | {metric} | {mean['float32']:.4f} | {mean['bfloat16']:.4f} "
            f"| {statistics.fmean(differences):+.4f} | {each} | {spread} |"
        )
    return rows


def encoder_table() -> str:
    """Bytes of the frozen encoder that all variants of a cohort share."""
    lines = ["| frozen image encoder | float32 | bfloat16 | ratio |", "| --- | --: | --: | --: |"]
    for backbone, geometry in BACKBONES.items():
        # Without values: only names, shapes and types count.
        weights = sam_without_weights(backbone).state_dict()
        full, half = (
            sum(
                value.numel() * value.element_size()
                for name, value in held.items()
                if name.startswith("image_encoder.")
            )
            for held in (weights, with_half_precision_encoder(weights, backbone))
        )
        lines.append(
            f"| {geometry.label} | {full / 2**20:,.1f} MiB | {half / 2**20:,.1f} MiB "
            f"| {half / full:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Trains all and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--variants", nargs="+", default=["translandseg", "translandseg-6", "translandseg-released"]
    )
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    # As SAM-nano always trains.
    torch.set_num_threads(1)
    # Half the demo's batches: as many steps as it takes to learn something from few scenes.
    protocol = Catalogue().protocol(
        "demo",
        [f"epochs={arguments.epochs}", f"data.count={arguments.scenes}", "batch_size=4"],
    )
    curves: list[Curve] = []
    with tempfile.TemporaryDirectory() as root:
        for seed in arguments.seeds:
            for precision in PRECISIONS:
                curves += train_curves(
                    arguments.variants, precision, seed, protocol, Path(root), CPU
                )
    of = {name: [c for c in curves if c.variant == name] for name in arguments.variants}
    hardware = torch.cpu.get_capabilities().get("avx512_bf16", False)
    parts = [
        f"demo, {arguments.epochs} epochs of {arguments.scenes} scenes, "
        f"{len(arguments.seeds)} seeds; bfloat16 {'in hardware' if hardware else 'emulated'}",
        *(curve_table(name, mine) for name, mine in of.items()),
        "\n".join(
            [
                "| variant | last epoch's | float32 | bfloat16 | difference | by seed "
                "| spread between seeds |",
                "| --- | --- | --: | --: | --: | --- | --: |",
                *(row for name, mine in of.items() for row in final_rows(name, mine)),
            ]
        ),
        encoder_table(),
    ]
    sys.stdout.write("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
