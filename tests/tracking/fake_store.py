"""A store whose runs end as a test says, written through the store's own interface."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from safetensors.numpy import save

from ablate.runs import (
    Event,
    Failure,
    Machine,
    Parameters,
    Provenance,
    Result,
    RunFolder,
    SpecFile,
    Store,
    SweepRecord,
)
from ablate.spec import (
    BACKBONES,
    NANO_WEIGHTS,
    Context,
    DataIdentity,
    Protocol,
    PublishedSplit,
    RunSpec,
    Sweep,
    WeightsIdentity,
    digest_of,
)
from structures import labelled_structure

CREATED_S = 1_760_000_000.25
EPOCH_S = 2.5
EPOCHS = 4
COMMIT = "0123456789abcdef0123456789abcdef01234567"

PROTOCOL = {
    "name": "demo",
    "task": {"positive_class": "landslide"},
    "published_split": None,
    "backbone": "vit_nano",
    "image_size_px": 128,
    "data": {"kind": "generated", "seed": 2024, "count": 60, "size_px": 128},
    "split": {"kind": "holdout", "seed": 42, "validation_share": 0.3, "rounding": "floor-plus-one"},
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "color_jitter": None,
    "epochs": EPOCHS,
    "batch_size": 8,
    "optimizer": {"kind": "adamw", "lr": 2e-3, "weight_decay": 0.01},
    "schedule": {"kind": "cosine", "lr_min": 1e-5},
    "loss": {"bce": 0.5, "dice": 0.5, "dice_smooth": 1.0},
    "selection": "validation-loss",
    "precision": "float32",
}

OFFICIAL_WEIGHTS = WeightsIdentity(
    label=BACKBONES["vit_l"].label,
    backbone="vit_l",
    sha256=str(BACKBONES["vit_l"].checkpoint_sha256),
)


def context(*, comparable: bool = False) -> Context:
    split = PublishedSplit(train=41, validation=19) if comparable else None
    return Context(
        protocol=Protocol(**(PROTOCOL | {"published_split": split})),
        data=DataIdentity(
            label="generated data", digest=digest_of("scenes"), train=41, validation=19
        ),
        weights=OFFICIAL_WEIGHTS if comparable else NANO_WEIGHTS,
    )


def run_spec(name: str, seed: int = 0, within: Context | None = None) -> RunSpec:
    variant = labelled_structure(name)
    return RunSpec(name=name, variant=variant, context=within or context(), seed=seed)


@dataclass
class FakeStore:
    """A store with one sweep, none of whose runs has a folder yet."""

    store: Store
    specs: list[RunSpec]
    record: SweepRecord

    def folder(self, index: int) -> RunFolder:
        return self.store.run(self.specs[index].key)

    def begin(self, index: int, *, created_s: float = CREATED_S) -> RunFolder:
        """Makes the folder, as a plan does."""
        spec = self.specs[index]
        provenance = Provenance(
            created=created_s,
            ablate="0.1.0",
            commit=f"{COMMIT}+changes",
            python="3.11.7",
            packages={"torch": "2.14.1"},
        )
        folder = self.folder(index)
        folder.create(SpecFile(key=spec.key, run=spec, provenance=provenance))
        return folder

    def finish(self, index: int, *, created_s: float = CREATED_S) -> RunFolder:
        """A whole run, from its folder to its result."""
        folder = self.begin(index, created_s=created_s)
        log_epochs(folder, 1, EPOCHS)
        conclude(folder, created_s=created_s)
        return folder


def fake_store(
    root: Path,
    names: Sequence[str] = ("translandseg", "translandseg-7"),
    seeds: Sequence[int] = (0,),
    *,
    comparable: bool = False,
) -> FakeStore:
    """A store that only knows of a sweep ``table4`` over these variants and seeds."""
    store, within = Store(root), context(comparable=comparable)
    specs = [run_spec(name, seed, within) for name in names for seed in seeds]
    sweep = Sweep(
        name="table4", title="Table IV", protocol="demo", seeds=tuple(seeds), variants=tuple(names)
    )
    return FakeStore(store, specs, store.record_sweep(sweep, within, specs))


def epoch_metrics(epoch: int, offset: float = 0.0) -> dict[str, float]:
    """Metrics that get better with every epoch."""
    return {
        "train_loss": 0.6 / epoch,
        "val_loss": 0.7 / epoch,
        "lr": 0.002 / epoch,
        "miou": 0.4 + 0.05 * epoch + offset,
        "positive_iou": 0.2 + 0.05 * epoch + offset,
    }


def event_time_s(epoch: int) -> float:
    return CREATED_S + EPOCH_S * epoch


def log_epochs(
    folder: RunFolder, first: int, last: int, *, later_s: float = 0.0, offset: float = 0.0
) -> None:
    """Ends the epochs from ``first`` to ``last``."""
    for epoch in range(first, last + 1):
        folder.append_event(
            Event(
                epoch=epoch,
                step=10 * epoch,
                time=event_time_s(epoch) + later_s,
                metrics=epoch_metrics(epoch, offset),
            )
        )


def conclude(folder: RunFolder, *, created_s: float = CREATED_S, offset: float = 0.0) -> Result:
    """All that a finished run leaves."""
    weights = save({"key": np.frombuffer(folder.key.encode(), dtype=np.uint8)})
    folder.weights_path.write_bytes(weights)
    table = {"image": ["scene-1", "scene-2"], "tp": [3, 4], "fp": [1, 0], "fn": [2, 1]}
    pd.DataFrame(table | {"tn": [10, 11]}).to_parquet(folder.confusion_path, index=False)
    folder.panels_path.mkdir(exist_ok=True)
    for name, colour in (("scene-1", "olive"), ("scene-2", "teal")):
        Image.new("RGB", (96, 32), colour).save(folder.panels_path / f"{name}.png")
    metrics = epoch_metrics(EPOCHS, offset)
    result = Result(
        key=folder.key,
        epoch=EPOCHS,
        epochs=EPOCHS,
        steps=10 * EPOCHS,
        metrics={name: metrics[name] for name in ("val_loss", "miou", "positive_iou")},
        confusion={"tp": 7, "fp": 1, "fn": 3, "tn": 21},
        parameters=Parameters(total=1_000_000, trainable=250_000, adapter=1_234, sites=4),
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        machine=Machine(
            device="cpu", device_name="A processor", threads=1, precision="float32", torch="2.14.1"
        ),
        finished=created_s + 60,
        train_s=48.5,
    )
    folder.publish_result(result)
    return result


def fail(folder: RunFolder, kind: str = "error") -> None:
    folder.write_failure(
        Failure(kind=kind, message="ValueError: no", detail="Traceback", time=CREATED_S + 30)
    )


@contextmanager
def worked_on(folder: RunFolder) -> Iterator[None]:
    """While this is open, another process works on the run."""
    with RunFolder(folder.path).claim() as claimed:
        assert claimed
        yield
