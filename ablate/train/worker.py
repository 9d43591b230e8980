"""Works on runs, those together that share everything but adapter and trained parts."""

import gc
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from ablate.data import open_images, prepare, split
from ablate.errors import DataError, Interrupted, StoreError, WeightsError
from ablate.models import (
    SegmentationModel,
    ZeroShot,
    build,
    build_cnn,
    build_zero_shot,
    load_resnet,
    load_weights,
    with_half_precision_encoder,
    with_random_encoder,
    with_random_prompts,
)
from ablate.models.compiling import compile_blocks
from ablate.runs import FileDigests, RunFolder, Store
from ablate.spec import (
    BACKBONES,
    CnnVariant,
    Context,
    GeneratedData,
    RunSpec,
    SamVariant,
    ZeroShotVariant,
    random_resnet,
)
from ablate.train.cohort_setup import CohortSetup
from ablate.train.devices import check_device, limit_threads, machine, precision_on
from ablate.train.engine import Engine, save_all
from ablate.train.evaluation import evaluate
from ablate.train.failing import leave_failure
from ablate.train.results import conclude
from ablate.train.signals import Stop, stop_on_signals
from ablate.train.training_run import TrainingRun

Weights = Mapping[str, torch.Tensor]


def work(folders: Sequence[Path], device: str, cohort_size: int | None = None) -> None:
    """Trains every run that is not done and that no other process works on.

    Runs of SAM that share everything but the variant are trained together; all others alone. A
    run that cannot go on leaves its ``failure.json``; the others are trained all the same.

    Args:
        folders: The runs' folders, with their ``spec.json``.
        device: For example ``cpu`` or ``cuda:0``.
        cohort_size: How many runs are trained together at most; None: all that can be.

    Raises:
        BadInput: If there is no such device.
        Interrupted: If Ctrl-C or SIGTERM asked for a stop; the state is saved.
    """
    where = check_device(device)
    weights: dict[str, Weights] = {}
    with stop_on_signals() as stop:
        for cohort in _cohorts([RunFolder(path) for path in folders], cohort_size):
            with ExitStack() as claims:
                claimed = [folder for folder in cohort if claims.enter_context(folder.claim())]
                _attempt(
                    [folder for folder in claimed if folder.result() is None], where, weights, stop
                )
            if stop.requested:
                raise Interrupted("stopped between two cohorts")


def _cohorts(folders: Sequence[RunFolder], size: int | None) -> list[list[RunFolder]]:
    """Groups runs that can be trained together, in the order in which they are given."""
    groups: dict[tuple[object, ...], list[RunFolder]] = {}
    for folder in folders:
        groups.setdefault(_shared(folder), []).append(folder)
    return [
        group[first : first + (size or len(group))]
        for group in groups.values()
        for first in range(0, len(group), size or len(group))
    ]


def _shared(folder: RunFolder) -> tuple[object, ...]:
    """What runs must have in common to be trained together; a run alone has its own path."""
    try:
        spec = folder.spec()
    except StoreError:
        # It is read again, and fails again, when its turn comes.
        return (folder.path,)
    if not isinstance(spec.variant, SamVariant):
        return (folder.path,)
    return (
        Store.of(folder).root,
        spec.context.model_dump_json(),
        spec.seed,
        spec.variant.encoder_weights,
    )


def _attempt(
    folders: Sequence[RunFolder], device: torch.device, weights: dict[str, Weights], stop: Stop
) -> None:
    """One attempt at a cohort; what hinders all of it becomes the failure of each."""
    for folder in folders:
        folder.clear_failure()
    try:
        if folders:
            _train(folders, device, weights, stop)
    except Interrupted:
        raise
    except Exception as error:
        for folder in folders:
            if folder.result() is None and folder.failure() is None:
                leave_failure(folder, error)


def _train(
    folders: Sequence[RunFolder], device: torch.device, weights: dict[str, Weights], stop: Stop
) -> None:
    """The path of a cohort: data, weights, models, training or evaluation, results."""
    spec, store = folders[0].spec(), Store.of(folders[0])
    limit_threads(spec.context.weights.backbone)
    setup = _cohort_setup(spec, store, device)
    # What is only evaluated computes in full precision.
    half = setup.precision == "bfloat16" and isinstance(spec.variant, SamVariant)
    kept = f"{spec.weights.sha256} {half} {_random_encoder_seed(spec)}"
    if kept not in weights:
        weights[kept] = _load(spec, store, device, half=half)
    runs: list[TrainingRun] = []
    for folder in folders:
        try:
            model = _model(folder.spec(), weights[kept], device)
            if isinstance(model, ZeroShot):
                evaluate(folder, model, setup, machine(device, "float32"), stop)
            else:
                runs.append(TrainingRun(folder, model, setup))
        except Interrupted:
            raise
        except Exception as error:
            leave_failure(folder, error)
    # What is there by now stays. Else Python searches all of torch for garbage again and again, for
    # a twentieth of SAM-nano's time.
    gc.freeze()
    try:
        Engine(setup, runs, stop).train()
    finally:
        gc.unfreeze()
    trained = [run for run in runs if not run.failed]
    for position, run in enumerate(trained):
        if stop.requested:
            save_all(trained[position:])
            raise Interrupted("stopped before the last evaluation")
        with run.attempt():
            conclude(run, setup, machine(device, setup.precision))


def _cohort_setup(spec: RunSpec, store: Store, device: torch.device) -> CohortSetup:
    """What the runs of a cohort share besides the weights."""
    protocol = spec.context.protocol
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
    precision = precision_on(device, protocol.precision)
    small = isinstance(spec.variant, SamVariant) and _is_small(spec.context)
    return CohortSetup(protocol, spec.seed, prepared, train, validation, device, precision, small)


def _is_small(context: Context) -> bool:
    """Whether one model leaves the device idle; larger ones fill it, and compiled ones too."""
    backbone, protocol = BACKBONES[context.weights.backbone], context.protocol
    native = protocol.image_size_px <= backbone.image_size_px
    return backbone.is_small and native and not protocol.compile


def _load(spec: RunSpec, store: Store, device: torch.device, *, half: bool) -> Weights:
    """What the model starts from; empty where it starts from nothing.

    SAM's weights go to the device here, once: all models of the cohort share them there.
    """
    sha256 = spec.weights.sha256
    if isinstance(spec.variant, CnnVariant):
        resnet = spec.variant.resnet
        if sha256 == random_resnet(resnet).sha256:
            return {}
        return load_resnet(resnet, checkpoint_of(store, sha256))
    backbone = spec.context.weights.backbone
    official = BACKBONES[backbone].checkpoint is not None
    weights = load_weights(backbone, checkpoint_of(store, sha256) if official else None)
    if (seed := _random_encoder_seed(spec)) is not None:
        weights = with_random_encoder(weights, backbone, seed)
    if half:
        weights = with_half_precision_encoder(weights, backbone)
    return {name: value.to(device) for name, value in weights.items()}


def _random_encoder_seed(spec: RunSpec) -> int | None:
    """Seed of a random image encoder; None: the encoder is pre-trained."""
    random = isinstance(spec.variant, SamVariant) and spec.variant.encoder_weights == "random"
    return spec.seed if random else None


def _model(spec: RunSpec, weights: Weights, device: torch.device) -> SegmentationModel | ZeroShot:
    """The run's variant on the device."""
    protocol, backbone = spec.context.protocol, spec.context.weights.backbone
    model: SegmentationModel
    match spec.variant:
        case SamVariant():
            if protocol.prompt_weights == "random":
                weights = with_random_prompts(weights, spec.seed)
            size_px = protocol.image_size_px
            model = build(
                spec.variant, backbone, image_size_px=size_px, weights=weights, seed=spec.seed
            )
        case CnnVariant():
            model = build_cnn(spec.variant, weights or None, spec.seed)
        case ZeroShotVariant():
            size_px = protocol.image_size_px
            return build_zero_shot(
                spec.variant, backbone, image_size_px=size_px, weights=weights, device=device
            )
    model = model.to(device)
    if protocol.compile:
        compile_blocks(model)
    return model


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
