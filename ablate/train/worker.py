"""Works on the runs of a cohort, one after the other."""

import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ablate.data import open_images, prepare, split
from ablate.errors import DataError, Diverged, Interrupted, WeightsError
from ablate.models import (
    TrainableModel,
    ZeroShot,
    build,
    build_cnn,
    build_zero_shot,
    load_resnet,
    load_weights,
    with_random_prompts,
)
from ablate.runs import Failure, FileDigests, RunFolder, Store
from ablate.spec import (
    BACKBONES,
    CnnVariant,
    GeneratedData,
    RunSpec,
    SamVariant,
    ZeroShotVariant,
    random_resnet,
)
from ablate.train.devices import check_device, limit_threads, machine, precision_on
from ablate.train.engine import Engine
from ablate.train.evaluation import evaluate
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
    weights: dict[str, Weights] = {}
    with stop_on_signals() as stop:
        for path in folders:
            folder = RunFolder(path)
            with folder.claim() as claimed:
                if claimed and folder.result() is None:
                    _attempt(folder, where, weights, stop)
            if stop.requested:
                raise Interrupted("stopped between two runs")


def _attempt(
    folder: RunFolder, device: torch.device, weights: dict[str, Weights], stop: Stop
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
    weights: dict[str, Weights],
    stop: Stop,
) -> None:
    """The path of one run: data, weights, model, training or evaluation, result."""
    limit_threads(spec.context.weights.backbone)
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

    if spec.weights.sha256 not in weights:
        weights[spec.weights.sha256] = _load(spec, store)
    model = _model(spec, weights[spec.weights.sha256], device)
    if isinstance(model, ZeroShot):
        evaluate(folder, model, prepared, validation, machine(device, "float32"), stop)
        return
    precision = precision_on(device, protocol.precision)
    engine = Engine(folder, spec, model, prepared, train, validation, precision, stop)
    engine.train()
    conclude(folder, engine, prepared, validation, machine(device, precision))


def _load(spec: RunSpec, store: Store) -> Weights:
    """What the model starts from; empty where it starts from nothing."""
    sha256 = spec.weights.sha256
    if isinstance(spec.variant, CnnVariant):
        resnet = spec.variant.resnet
        if sha256 == random_resnet(resnet).sha256:
            return {}
        return load_resnet(resnet, checkpoint_of(store, sha256))
    backbone = spec.context.weights.backbone
    official = BACKBONES[backbone].checkpoint is not None
    return load_weights(backbone, checkpoint_of(store, sha256) if official else None)


def _model(spec: RunSpec, weights: Weights, device: torch.device) -> TrainableModel | ZeroShot:
    """The run's variant on the device."""
    protocol, backbone = spec.context.protocol, spec.context.weights.backbone
    match spec.variant:
        case SamVariant():
            if protocol.prompt_weights == "random":
                weights = with_random_prompts(weights, spec.seed)
            size_px = protocol.image_size_px
            return build(
                spec.variant, backbone, image_size_px=size_px, weights=weights, seed=spec.seed
            ).to(device)
        case CnnVariant():
            return build_cnn(spec.variant, weights or None, spec.seed).to(device)
        case ZeroShotVariant():
            size_px = protocol.image_size_px
            return build_zero_shot(
                spec.variant, backbone, image_size_px=size_px, weights=weights, device=device
            )


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
