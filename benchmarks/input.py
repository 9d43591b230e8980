"""What a batch at SAM's native size costs before a variant sees it, against a training step.

A batch is read, then converted, jittered and normalised, once for all variants that are trained
together. A step is one variant's: forward, loss, backward, optimiser. Waiting is measured in
training: from the end of a step until the next batch lies finished on the device. On a GPU that is
an upper limit, since the queue is emptied before and after. A cohort's share of waiting is
wait / (wait + variants × step). Weights are random values, images generated scenes.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ablate.data import Prepared, jitter, open_images, prepare
from ablate.data.batches import Batch, ToDevice, read
from ablate.models import SegmentationModel, build, with_half_precision_encoder
from ablate.models.sam import sam_without_weights
from ablate.registry import Catalogue
from ablate.spec import BACKBONES, BackboneName, Precision, Protocol
from ablate.train.cohort_setup import CohortSetup
from ablate.train.state import TrainingState

VARIANT = "translandseg"
COHORTS = (1, 10)
# Resized to the native size like any other image, and painted in a hundredth of the time.
SCENE_SIDE_PX = 128
STEP, WAIT = "a step of one variant", "waiting for the next batch"


def recipe(backbone: BackboneName, batch: int, scenes: int) -> Protocol:
    """The paper's, on generated scenes."""
    data = f"{{kind: generated, seed: 1, count: {scenes}, size_px: {SCENE_SIDE_PX}}}"
    changes = [f"backbone={backbone}", f"batch_size={batch}", f"data={data}"]
    return Catalogue().protocol("paper", changes)


def opened(protocol: Protocol, cache: Path) -> Prepared:
    """The prepared scenes."""
    return prepare(open_images(protocol.data, None), protocol.image_size_px, cache)


def forget(cache: Path) -> None:
    """Asks the system to keep nothing of the prepared scenes in memory."""
    for path in cache.glob("*/*.npy"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def finish_all(device: torch.device) -> None:
    """Returns when nothing is left to do on the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Wall time until the device has finished."""
    started = time.perf_counter()
    run()
    finish_all(device)
    return time.perf_counter() - started


def parts(
    protocol: Protocol, cache: Path, device: torch.device
) -> Iterator[tuple[str, torch.device, Callable[[], object]]]:
    """Name, device and call of everything that a batch takes; reading comes first."""
    chosen = list(range(protocol.batch_size))
    pinned = device.type == "cuda"
    if hasattr(os, "posix_fadvise"):
        forget(cache)
        unread = opened(protocol, cache)
        yield "reading, from the disk", device, partial(read, unread, chosen, pinned=pinned)
    prepared = opened(protocol, cache)
    yield "reading, from memory", device, partial(read, prepared, chosen, pinned=pinned)
    pixels = read(prepared, chosen, pinned=pinned)
    if protocol.color_jitter is None:
        raise AssertionError("the paper's recipe has jitter")
    numbers = np.random.default_rng(0).random((len(chosen), jitter.NUMBERS)).tolist()
    jitters = [jitter.choose(protocol.color_jitter, row) for row in numbers]
    for where in dict.fromkeys([torch.device("cpu"), device]):
        finish = ToDevice(protocol, jitters, where)
        yield f"jitter and normalisation, {where.type}", where, partial(finish, pixels)


def model_of(setup: CohortSetup, backbone: BackboneName) -> SegmentationModel:
    """A variant on a frozen image encoder with random values, as training builds it."""
    empty = sam_without_weights(backbone).to_empty(device=setup.device)
    weights = {name: 0.02 * torch.randn_like(each) for name, each in empty.state_dict().items()}
    if setup.precision == "bfloat16":
        weights = with_half_precision_encoder(weights, backbone)
    size_px = setup.protocol.image_size_px
    variant = Catalogue().variant(VARIANT)
    return build(variant, backbone, image_size_px=size_px, weights=weights, seed=0).train()


def learn(state: TrainingState, setup: CohortSetup, batch: Batch) -> None:
    """One step, as the training loop takes it."""
    state.optimizer.zero_grad(set_to_none=True)
    with setup.autocast():
        weighted = state.model.weighted_logits(batch.images)
    losses = [weight * setup.loss(logits, batch) for weight, logits in weighted]
    loss = torch.stack(losses).sum()
    loss.item()
    loss.backward()
    state.optimizer.step()


def train(setup: CohortSetup, backbone: BackboneName) -> dict[str, list[float]]:
    """Waiting and steps of one epoch, the first step left out."""
    state = TrainingState(model_of(setup, backbone), setup.protocol, seed=0)
    spent: dict[str, list[float]] = {WAIT: [], STEP: []}
    started = time.perf_counter()
    for batch in setup.training_batches().epoch(1):
        finish_all(setup.device)
        spent[WAIT].append(time.perf_counter() - started)
        spent[STEP].append(seconds(partial(learn, state, setup, batch), setup.device))
        started = time.perf_counter()
    return {name: times[1:] for name, times in spent.items()}


def table(spent: dict[str, list[float]], batch: int) -> list[str]:
    """The lines of the table."""
    step = statistics.median(spent[STEP])
    lines = [
        f"| for a batch of {batch} | median | range | of a step |",
        "| --- | --: | --: | --: |",
    ]
    for name, times in spent.items():
        median, low, high = (1e3 * f(times) for f in (statistics.median, min, max))
        lines.append(
            f"| {name} | {median:,.1f} ms | {low:,.1f}…{high:,.1f} ms | {median / 1e3 / step:.2%} |"
        )
    return lines


def shares(spent: dict[str, list[float]]) -> list[str]:
    """How much of the time the step waits for input, by the size of the cohort."""
    pairs = list(zip(spent[WAIT], spent[STEP], strict=True))
    lines = ["", "| variants per batch | share of waiting | range |", "| --: | --: | --: |"]
    for variants in COHORTS:
        waits = [wait / (wait + variants * step) for wait, step in pairs]
        lines.append(
            f"| {variants} | {statistics.median(waits):.2%} | {min(waits):.2%}…{max(waits):.2%} |"
        )
    return lines


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=5, help="of each part of a batch")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--backbone", choices=BACKBONES, default="vit_b")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    # One step more, which is left out.
    scenes = arguments.batch * (arguments.steps + 1)
    protocol = recipe(arguments.backbone, arguments.batch, scenes)
    spent: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        for repetition in range(arguments.rounds + 1):
            for name, where, part in parts(protocol, cache, device):
                times = spent.setdefault(name, [])
                once = seconds(part, where)
                if repetition:  # the first round fills caches and the allocator
                    times.append(once)
        precision: Precision = arguments.precision
        prepared = opened(protocol, cache)
        setup = CohortSetup(protocol, 0, prepared, list(range(scenes)), [], device, precision)
        spent |= train(setup, arguments.backbone)
    sys.stdout.write(
        f"{BACKBONES[arguments.backbone].label}, {protocol.image_size_px} pixels, {device}, "
        f"{precision}, {arguments.threads} threads\n\n"
    )
    sys.stdout.write("\n".join(table(spent, arguments.batch) + shares(spent)) + "\n")


if __name__ == "__main__":
    main()
