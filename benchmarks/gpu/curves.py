"""Whether training in TF32 and in bfloat16 ends where training in float32 does, on this device.

A variant on SAM-nano learns bright regions from the same batches from the same start in each
precision; ``precision.py`` does the same with more seeds on a CPU. The difference that counts is
that between seeds.
"""

import tempfile
from pathlib import Path

import torch

from ablate.registry import Catalogue
from ablate.spec import Precision
from benchmarks._training import train_curves
from benchmarks.gpu.images import FOLDERS, write_images
from benchmarks.gpu.part import Part, run

PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bfloat16")
VARIANTS = ("translandseg",)
METRICS = ("train_loss", "val_loss", "miou")


def measure(part: Part) -> None:
    """Says the last epoch of each training, and then the epochs."""
    epochs, images, seeds = (2, 6, (0,)) if part.tiny else (8, 64, (0, 1))
    protocol = Catalogue().protocol("demo", [FOLDERS, f"epochs={epochs}", "batch_size=4"])
    found, device = [], torch.device(part.device)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        write_images(folder / "data", images)
        for seed in seeds:
            for precision in PRECISIONS:
                found += train_curves(VARIANTS, precision, seed, protocol, folder, device)
                last = {name: found[-1].epochs[-1][name] for name in METRICS}
                part.row({"seed": seed, "precision": precision, "epochs": epochs, **last})
    for epoch in range(epochs):
        losses = {
            f"{curve.precision}, seed {curve.seed}": curve.epochs[epoch]["train_loss"]
            for curve in found
        }
        part.row({"training loss, epoch": epoch + 1, **losses})


if __name__ == "__main__":
    run(measure)
