"""Whether runs survive what happens to them: SIGTERM and a later start, and too little memory.

A run that is stopped and goes on, and one whose batch does not fit, shall end with the losses of
one that nothing happens to; on a GPU sums come in another order each time, so to within a
thousandth. Two undisturbed runs show how much of a difference that alone makes.
"""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from ablate import Study
from ablate.runs import RunFolder, State, Store
from ablate.train import engine
from benchmarks.gpu.images import FOLDERS, write_images
from benchmarks.gpu.part import Part, run
from benchmarks.gpu.steps import random_weights

TOLERANCE = 1e-3
_INTERRUPTED = 75


# Signals ------------------------------------------------------------------------------------------


def device_of(part: Part) -> str:
    """The device as a command names it."""
    return "cuda:0" if part.device == "cuda" else "cpu"


def command(part: Part, folder: Path, store: str) -> list[str]:
    """``ablate run`` of one variant on SAM-nano, long enough to be stopped in between."""
    epochs, size_px = (4, 64) if part.tiny else (40, 128)
    changes = [FOLDERS, f"epochs={epochs}", f"image_size_px={size_px}", "batch_size=4"]
    return [
        *(sys.executable, "-m", "ablate", "run", "--grid", "table4", "--protocol", "demo"),
        *("--variant", "translandseg", "--data", str(folder / "data")),
        *(word for change in changes for word in ("--set", change)),
        *("--device", device_of(part), "--store", str(folder / store), "--no-track", "--quiet"),
    ]


def only_run(store: Path) -> RunFolder | None:
    """The run of a store, as soon as there is one."""
    if not store.exists():
        return None
    return next(iter(Store(store).runs()), None)


def losses(folder: RunFolder | None) -> list[float]:
    """The losses of all epochs; empty while there are none."""
    events = folder.events() if folder else []
    return [event.metrics[name] for event in events for name in ("train_loss", "val_loss")]


def apart(found: list[float], expected: list[float]) -> float:
    """The largest relative difference; infinite if something is missing."""
    if len(found) != len(expected) or not expected:
        return float("inf")
    return max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))


def interrupted(part: Part, folder: Path) -> int:
    """Starts a run and sends SIGTERM after its first epoch; returns the exit status."""
    process = subprocess.Popen(command(part, folder, "stopped"))
    try:
        while process.poll() is None and part.left_s > 0:
            if losses(only_run(folder / "stopped")):
                process.send_signal(signal.SIGTERM)
                break
            time.sleep(0.02)
        return process.wait(max(part.left_s, 1))
    finally:
        process.kill()


def signals(part: Part, folder: Path) -> None:
    """Says how far a run that was stopped and continued is from others."""
    subprocess.run(command(part, folder, "undisturbed"), check=True)
    expected = losses(only_run(folder / "undisturbed"))
    for name, store in (("SIGTERM, then continued", "stopped"), ("undisturbed, again", "again")):
        was_stopped = store == "stopped" and interrupted(part, folder) == _INTERRUPTED
        before = len(losses(only_run(folder / store))) // 2
        subprocess.run(command(part, folder, store), check=True)
        distance = apart(losses(only_run(folder / store)), expected)
        part.row(
            {
                "what happens": name,
                "epochs before": before if was_stopped else None,
                "losses apart": distance,
                "alike": distance <= TOLERANCE and (was_stopped or store == "again"),
            }
        )


# Memory -------------------------------------------------------------------------------------------


@contextmanager
def short_of_memory(part: Part, peak_bytes: int) -> Iterator[None]:
    """Meanwhile less memory is there than a batch takes; on a CPU it only seems so."""
    if part.device == "cuda":
        total = torch.cuda.get_device_properties(0).total_memory
        # What the training before has left would count.
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(0.7 * peak_bytes / total)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    in_parts = engine.weighted_logits_in_parts

    def limited(forward: Any, images: torch.Tensor, at_once: int) -> Any:
        if at_once > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return in_parts(forward, images, at_once)

    with mock.patch.object(engine, "weighted_logits_in_parts", limited):
        yield


def memory(part: Part, folder: Path) -> None:
    """Says how far a training whose batches do not fit is from one whose batches do."""
    backbone, size_px = ("vit_nano", 64) if part.tiny else ("vit_b", 1024)
    checkpoint = None
    if not part.tiny:
        checkpoint = folder / "random.pth"
        torch.save(random_weights(backbone, "cpu"), checkpoint)
    changes = [FOLDERS, f"backbone={backbone}", f"image_size_px={size_px}", "epochs=1"]

    def train(store: str) -> RunFolder:
        study = Study(
            "table4",
            protocol="demo" if part.tiny else "paper",
            data=folder / "data",
            checkpoint=checkpoint,
            variants=["translandseg"],
            overrides=[*changes, "batch_size=4"],
            store=folder / store,
            devices=[device_of(part)],
            executor="inline",
            track=False,
        )
        study.run()
        (found,) = Store(folder / store).runs()
        return found

    on_gpu = part.device == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    undisturbed = train("roomy")
    peak = torch.cuda.max_memory_allocated() if on_gpu else 0
    with short_of_memory(part, peak):
        short = train("short")
    result = short.result()
    noted = result.micro_batches if result else ()
    distance = apart(losses(short), losses(undisturbed))
    images = min((each.images for each in noted if each.purpose == "training"), default=None)
    part.row(
        {
            "memory": f"{0.7 * peak / 1e9:.3g} of {peak / 1e9:.3g} GB" if on_gpu else "as if short",
            "state": str(short.state()),
            "images at once, of 4": images,
            "losses apart": distance,
            "alike": short.state() is State.DONE and bool(noted) and distance <= TOLERANCE,
        }
    )


def measure(part: Part) -> None:
    """Says what a signal and too little memory do."""
    # A worker's own threads would compete with the driver's.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "data", 12)
        memory(part, folder)
        signals(part, folder)


if __name__ == "__main__":
    run(measure)
