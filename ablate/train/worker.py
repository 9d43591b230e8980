"""Works on the runs of a cohort, one after the other."""

import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ablate.data import open_images, prepare, split
from ablate.errors import DataError, Diverged, Interrupted, WeightsError
from ablate.models import build, load_weights
from ablate.runs import Failure, FileDigests, RunFolder, Store
from ablate.spec import BACKBONES, BackboneName, GeneratedData, RunSpec
from ablate.train.devices import check_device, limit_threads, machine, precision_on
from ablate.train.engine import Engine
from ablate.train.outcome import conclude
from ablate.train.stop import Stop, stop_on_signals

Weights = Mapping[str, torch.Tensor]


def work(folders: Sequence[Path], device: str) -> None:
    """Trains every run that is not done and that no other process works on.

    A run that cannot go on leaves its ``failure.json``; the others are trained all the same.

    Args:
        folders: The runs' folders, with their ``spec.json``.
        device: For example ``cpu`` or ``cuda:0``.

    Raises:
        BadInput: If there is no such device.
        Interrupted: If Ctrl-C or SIGTERM asked for a stop; the state is saved.
    """
    where = check_device(device)
    weights: dict[BackboneName, Weights] = {}
    with stop_on_signals() as stop:
        for path in folders:
            folder = RunFolder(path)
            with folder.claim() as claimed:
                if claimed and folder.result() is None:
                    _attempt(folder, where, weights, stop)
            if stop.requested:
                raise Interrupted("stopped between two runs")


def _attempt(
    folder: RunFolder, device: torch.device, weights: dict[BackboneName, Weights], stop: Stop
) -> None:
    """One attempt at one run; whatever it raises, but for a stop, becomes its failure."""
    folder.clear_failure()
    try:
        _train(folder, folder.spec(), device, weights, stop)
    except Interrupted:
        raise
    except Exception as error:
        folder.write_failure(
            Failure(
                kind="diverged" if isinstance(error, Diverged) else "error",
                message=_one_line(error),
                detail="" if isinstance(error, Diverged) else traceback.format_exc(),
                time=time.time(),
            )
        )


def _train(
    folder: RunFolder,
    spec: RunSpec,
    device: torch.device,
    weights: dict[BackboneName, Weights],
    stop: Stop,
) -> None:
    """The path of one run: data, weights, model, training, result."""
    limit_threads(spec.backbone_name)
    protocol, store = spec.context.protocol, Store.of(folder)
    generated = isinstance(protocol.data, GeneratedData)
    root = None if generated else store.source(spec.context.data.digest)
    images = open_images(protocol.data, root, store.digests_path)
    if images.digest() != spec.context.data.digest:
        raise DataError(
            f"the images in {root} are no longer those that this run was planned for",
            "bring them back, or start the sweep again",
        )
    prepared = prepare(images, protocol.image_size_px, store.cache_path)
    train, validation = split(len(prepared.names), protocol.split)

    backbone = spec.backbone_name
    if backbone not in weights:
        official = BACKBONES[backbone].checkpoint is not None
        checkpoint = checkpoint_of(store, spec.context.weights.sha256) if official else None
        weights[backbone] = load_weights(backbone, checkpoint)
    model = build(
        spec.variant,
        backbone,
        image_size_px=protocol.image_size_px,
        weights=weights[backbone],
        seed=spec.seed,
    ).to(device)

    precision = precision_on(device, protocol.precision)
    engine = Engine(folder, spec, model, prepared, train, validation, precision, stop)
    engine.train()
    conclude(folder, engine, prepared, validation, machine(device, precision))


def checkpoint_of(store: Store, sha256: str) -> Path:
    """The file of weights with this digest, checked before anything of it is interpreted.

    Raises:
        StoreError: If the store has never seen such a file.
        WeightsError: If the file has changed since.
    """
    path, digests = store.source(sha256), FileDigests(store.digests_path)
    found = digests.of(path)
    digests.save()
    if found != sha256:
        raise WeightsError(
            f"{path} is no longer the file that this run was planned for",
            "bring it back, or start the sweep again",
        )
    return path


def _one_line(error: Exception) -> str:
    """The exception's type and the first line of its text."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
