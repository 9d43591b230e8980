"""The ten structures of Table IV trained together at 1024x1024 on ViT-L: time, memory, waiting.

Images are random pixels in files of the sizes of a data set's, read, resized and jittered as ever;
weights are random. The first batch is left out. Waiting is from the end of a step until the next
batch lies on the device. Extrapolated: the paper's 539 training and 231 validation images, 50
epochs, one seed. Peak memory is PyTorch's alone.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ablate.data import identify, open_images, prepare
from ablate.data.batches import Batch, TrainingBatches
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.spec import BackboneName, Context, Precision, WeightsIdentity
from ablate.train.cohort_setup import CohortSetup
from benchmarks._training import train_together
from benchmarks.gpu.images import FOLDERS, write_images
from benchmarks.gpu.part import Part, run
from benchmarks.gpu.steps import random_weights

PRECISIONS: tuple[Precision, ...] = ("bfloat16", "tf32", "float32")
TRAINING, VALIDATION, EPOCHS = 539, 231, 50


@dataclass
class Times:
    """Seconds of each batch.

    Attributes:
        waits: Until it lay on the device.
        steps: From then until the next was asked for.
    """

    waits: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)

    def timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches; the loop over them waits for the device in each step by itself."""
        asked = time.perf_counter()
        for batch in batches:
            came = time.perf_counter()
            self.waits.append(came - asked)
            yield batch
            asked = time.perf_counter()
            self.steps.append(asked - came)


class TimedBatches(TrainingBatches):
    """Training batches that are timed."""

    times: Times

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch."""
        return self.times.timed(super().epoch(epoch, start_step))


@dataclass(frozen=True)
class TimedSetup(CohortSetup):
    """A setup whose batches are timed.

    Attributes:
        training: The times of training.
        validating: The times of validation.
    """

    training: Times = field(default_factory=Times)
    validating: Times = field(default_factory=Times)

    def training_batches(self) -> TrainingBatches:
        """Timed ones."""
        batches = TimedBatches(self.prepared, self.train, self.protocol, self.seed, self.device)
        batches.times = self.training
        return batches

    def validation_batches(self, epoch: int) -> Iterator[Batch]:
        """Timed ones."""
        return self.validating.timed(super().validation_batches(epoch))


def cohort(
    part: Part, backbone: BackboneName, precision: Precision, images: int, root: Path
) -> None:
    """Trains ten structures for an epoch of a few images and says a row."""
    device = torch.device(part.device)
    changes = [f"backbone={backbone}", "epochs=1", FOLDERS]
    size = ["image_size_px=128"] if part.tiny else []
    catalogue = Catalogue()
    protocol = catalogue.protocol("paper", [*changes, *size, f"precision={precision}"])
    opened = open_images(protocol.data, root / "data")
    prepared = prepare(opened, protocol.image_size_px, root / "cache")
    indices = list(range(len(prepared.names)))
    setup = TimedSetup(protocol, 0, prepared, indices[:images], indices[images:], device, precision)
    context = Context(
        protocol=protocol,
        data=identify(opened, protocol.split, root / "data"),
        weights=WeightsIdentity(label="random values", backbone=backbone, sha256="0" * 64),
    )
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    names = catalogue.sweep("table4").variants
    weights = random_weights(backbone, part.device)
    runs = train_together(setup, context, weights, names, Store(root / f"store-{precision}"))
    peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
    # A batch is the last one's step too: its own and the wait before it.
    spent = [a + b for a, b in zip(setup.training.waits, setup.training.steps, strict=True)]
    looked = [a + b for a, b in zip(setup.validating.waits, setup.validating.steps, strict=True)]
    batch_s, look_s = statistics.median(spent[1:]), statistics.median(looked)
    batches = [-(-each // protocol.batch_size) for each in (TRAINING, VALIDATION)]
    epoch_s = batches[0] * batch_s + batches[1] * look_s
    part.row(
        {
            "precision": precision,
            "structures": sum(not run.failed for run in runs),
            "batch of all, s": batch_s,
            "validation batch, s": look_s,
            "waiting": sum(setup.training.waits[1:]) / sum(spent[1:]),
            "peak GB": peak,
            "an epoch of 539+231, s": epoch_s,
            "Table IV, hours": EPOCHS * epoch_s / 3600,
        }
    )


def measure(part: Part) -> None:
    """Says a row for each precision."""
    images, looked = (4, 2) if part.tiny else (10, 4)
    backbone: BackboneName = "vit_nano" if part.tiny else "vit_l"
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder) / "data", images + looked)
        for precision in PRECISIONS:
            cohort(part, backbone, precision, images, Path(folder))


if __name__ == "__main__":
    run(measure)
