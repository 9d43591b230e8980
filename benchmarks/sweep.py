"""The demo's ten variants, whole commands, against ten plain training scripts in turn.

A plain script is what research code does: a process for each variant, which imports torch, builds
SAM-nano with SAM's own attention, decodes its images anew in every epoch, validates after each and
keeps the best weights, with torch's default number of threads. All read the same PNG files.
``ablate run`` goes without the mirror, which the scripts have not; once more in bfloat16, which is
another recipe (``precision.py`` compares where it ends) and counts where the processor has it.
"""

import argparse
import compileall
import copy
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import ablate
from ablate.registry import Catalogue

TABLE = "table4"
REFERENCE = "ten scripts in turn"
OURS = {
    "`ablate run`, a worker for each core": "float32",
    "the same, `--set precision=bfloat16`": "bfloat16",
}


def write_scenes(root: Path, count: int) -> None:
    """The demo's scenes as a data set of files."""
    from ablate.data import open_images

    protocol = Catalogue().protocol("demo", [f"data.count={count}"])
    scenes = open_images(protocol.data, None)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for index in range(count):
        image, mask = scenes.load(index)
        Image.fromarray(image).save(root / "images" / f"{index:04d}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / "masks" / f"{index:04d}.png")


def train_plainly(name: str, data: Path, epochs: int, weights: Path) -> None:
    """The plain script."""
    import torch
    from torch.utils.data import DataLoader, Dataset, random_split
    from torchvision.transforms.functional import normalize, resize, to_tensor

    from ablate.models import load_weights
    from ablate.models.sam import build
    from ablate.train.loss import segmentation_loss

    protocol = Catalogue().protocol("demo")
    size_px = protocol.image_size_px

    class Scenes(Dataset[tuple[torch.Tensor, torch.Tensor]]):
        def __init__(self) -> None:
            self.names = sorted(path.name for path in (data / "images").iterdir())

        def __len__(self) -> int:
            return len(self.names)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            image = Image.open(data / "images" / self.names[index]).convert("RGB")
            mask = Image.open(data / "masks" / self.names[index]).convert("L")
            pixels = resize(to_tensor(image), [size_px, size_px])
            ground_truth = resize(to_tensor(mask), [size_px, size_px])
            return normalize(pixels, list(protocol.mean), list(protocol.std)), (
                ground_truth > 0.5
            ).float()

    torch.manual_seed(0)
    share = protocol.split.validation_share
    train, validation = random_split(Scenes(), [1 - share, share])
    model = build(
        Catalogue().variant(name),
        "vit_nano",
        image_size_px=size_px,
        weights=load_weights("vit_nano", None),
        seed=0,
        sams_attention=True,
    )
    optimizer = torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=protocol.optimizer.lr,
        weight_decay=protocol.optimizer.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, epochs, eta_min=protocol.schedule.lr_min
    )
    best = float("inf")
    for _ in range(epochs):
        model.train()
        for images, masks in DataLoader(train, protocol.batch_size, shuffle=True):
            optimizer.zero_grad()
            loss = segmentation_loss(model(images), masks, protocol.loss)
            loss.backward()
            optimizer.step()
        schedule.step()
        model.eval()
        lost = 0.0
        with torch.inference_mode():
            for images, masks in DataLoader(validation, protocol.batch_size):
                lost += segmentation_loss(model(images), masks, protocol.loss).item() * len(images)
        if lost < best:
            best, kept = lost, copy.deepcopy(model.trainable_state())
            torch.save(kept, weights)


def commands(way: str, data: Path, epochs: int, folder: str) -> list[list[str]]:
    """What is to be run, one after the other."""
    if way == REFERENCE:
        return [
            [
                *(sys.executable, __file__, "--plain", name),
                *("--data", str(data), "--epochs", str(epochs)),
                *("--weights", f"{folder}/{name}.pt"),
            ]
            for name in Catalogue().sweep(TABLE).variants
        ]
    cores = len(os.sched_getaffinity(0))
    return [
        [
            *(sys.executable, "-m", "ablate", "run", "--grid", TABLE, "--protocol", "demo"),
            *("--data", str(data), *(["--device", "cpu"] * cores)),
            *("--set", f"epochs={epochs}", "--set", f"precision={OURS[way]}"),
            *("--store", f"{folder}/store", "--no-track", "--quiet"),
        ]
    ]


def seconds(way: str, data: Path, epochs: int) -> float:
    """Wall time, from nothing to ten trained variants."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        for command in commands(way, data, epochs, folder):
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def main() -> None:
    """Measures all in turn, again and again, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    demo = Catalogue().protocol("demo")
    parser.add_argument("--epochs", type=int, default=demo.epochs)
    parser.add_argument("--scenes", type=int, default=demo.data.count)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--plain", metavar="VARIANT", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        train_plainly(arguments.plain, arguments.data, arguments.epochs, arguments.weights)
        return
    # An editable install may be told to keep nothing compiled.
    compileall.compile_dir(Path(ablate.__file__).parent, quiet=1)
    times: dict[str, list[float]] = {way: [] for way in (REFERENCE, *OURS)}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "scenes"
        write_scenes(data, arguments.scenes)
        for _ in range(arguments.rounds):
            for way, spent in times.items():
                spent.append(seconds(way, data, arguments.epochs))
    lines = [
        f"{arguments.epochs} epochs of {arguments.scenes} scenes; rounds: {arguments.rounds}\n",
        "| ten variants | median | range | times as fast |",
        "| --- | --: | --: | --: |",
    ]
    for way, spent in times.items():
        faster = statistics.median(a / b for a, b in zip(times[REFERENCE], spent, strict=True))
        lines.append(
            f"| {way} | {statistics.median(spent):.1f} s | {min(spent):.1f}…{max(spent):.1f} s "
            f"| {faster:.2f} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
