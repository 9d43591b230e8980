"""Works on a cohort: runs that share everything but the variant."""

import gc
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import torch

from ablate.data import Images, changes_since, identify, open_images, prepare
from ablate.data.splitting import parts
from ablate.errors import (
    BadInput,
    DataError,
    Interrupted,
    OutOfSharedMemory,
    StoreError,
    TakenOver,
    WeightsError,
)
from ablate.models import SegmentationModel, ZeroShot, load_resnet
from ablate.models.compiling import compile_blocks
from ablate.models.devices import (
    check_device,
    computing_in,
    limit_threads,
    machine,
    precision_on,
)
from ablate.models.from_spec import build_model, encoder_weights, is_from_file, sam_weights
from ablate.plan.data_files import remember_data_files
from ablate.runs import FileDigests, RunFolder, Store
from ablate.spec import (
    CnnVariant,
    GeneratedData,
    RunSpec,
    SamVariant,
    random_resnet,
)
from ablate.train.cohort_setup import CohortSetup
from ablate.train.engine import Engine, save_all
from ablate.train.evaluation import evaluate
from ablate.train.meter import Meter
from ablate.train.results import conclude, write_failure
from ablate.train.sharing import SharedDevice, give_way
from ablate.train.signals import Stop, stop_on_signals
from ablate.train.training_run import TrainingRun

Weights = Mapping[str, torch.Tensor]

_LOOK_EVERY_S = 1.0


def work(folders: Sequence[Path], device: str, shared: SharedDevice | None = None) -> None:
    """Trains or evaluates the runs of one cohort.

    Runs that are done and runs that another process works on are left out. A run that cannot go on
    leaves its ``failure.json``; the others are trained all the same.

    Args:
        folders: The runs' folders, with their ``spec.json``: runs of adapted SAM that share
            everything but the variant, or one run of any other system.
        device: For example ``cpu`` or ``cuda:0``.
        shared: Where other cohorts may be on the device: is told the memory after the first step.

    Raises:
        BadInput: If there is no such device.
        Interrupted: If a signal requested a stop; the state is saved.
        OutOfSharedMemory: If memory is short beside other cohorts; the state is saved.
    """
    where = check_device(device)
    with stop_on_signals() as stop, ExitStack() as claims:
        claimed = _claimed([RunFolder(path) for path in folders], claims, stop)
        pending = [folder for folder in claimed if not folder.has_result()]
        try:
            if pending:
                # Before failures are removed: they are how earlier attempts have ended.
                with Meter(pending, where, is_shared=shared is not None) as meter:
                    for folder in pending:
                        # Whose run was taken over already is told as it writes again.
                        with suppress(TakenOver):
                            folder.clear_failure()
                    _train(pending, where, stop, meter, shared)
        except Interrupted:
            raise
        except Exception as error:
            give_way(shared, error)
            # What prevents the whole cohort is the failure of each run.
            for folder in pending:
                if not (folder.has_result() or folder.has_failure()):
                    write_failure(folder, error)


def _claimed(cohort: Sequence[RunFolder], claims: ExitStack, stop: Stop) -> list[RunFolder]:
    """Claims what it can of a cohort, and holds it as long as ``claims`` is open.

    Whether a process on another host has died shows within a minute; it is waited for, since a
    cluster may have started this job in place of one whose node was lost.
    """
    mine: set[RunFolder] = set()
    left = list(cohort)
    while left:
        mine |= {folder for folder in left if claims.enter_context(folder.claim())}
        left = [each for each in left if each not in mine and each.is_claim_undecided()]
        if left and stop.requested:
            break
        if left:
            time.sleep(_LOOK_EVERY_S)
    return [folder for folder in cohort if folder in mine]


def _train(
    folders: Sequence[RunFolder],
    device: torch.device,
    stop: Stop,
    meter: Meter,
    shared: SharedDevice | None,
) -> None:
    """The path of a cohort: data, weights, models, training or evaluation, results."""
    specs = _read_specs(folders)
    if not specs:
        return
    _check_cohort(specs)
    spec, store = next(iter(specs.values())), Store.of(folders[0])
    limit_threads(spec.context.weights.backbone)
    planned_s = min(folder.spec_file().provenance.created for folder in specs)
    setup = _cohort_setup(spec, store, device, planned_s, shared)
    _leave_if_stopped(stop)
    # What is only evaluated computes in full precision.
    half = setup.precision == "bfloat16" and all(
        isinstance(each.variant, SamVariant) and not each.variant.needs_exact_encoder
        for each in specs.values()
    )
    weights = _load(spec, store, device, half=half)
    meter.charge(specs)
    _leave_if_stopped(stop)
    runs: list[TrainingRun] = []
    for folder, own_spec in specs.items():
        try:
            model = _model(own_spec, weights, device)
            if isinstance(model, ZeroShot):
                with computing_in(device, "float32"):
                    evaluate(folder, model, setup, machine(device, "float32"), stop, meter)
            else:
                runs.append(TrainingRun(folder, model, setup))
        except Interrupted:
            raise
        except Exception as error:
            give_way(shared, error)
            write_failure(folder, error)
    # The first model that is built pays for what torch prepares for all.
    meter.charge([run.folder for run in runs])
    # What is there by now stays. Else Python searches all of torch for garbage again and again, for
    # a twentieth of SAM-nano's time.
    gc.freeze()
    try:
        with computing_in(device, setup.precision):
            Engine(setup, runs, stop, meter).train()
            _conclude([run for run in runs if not run.failed], setup, stop, meter)
    finally:
        gc.unfreeze()


def _conclude(trained: Sequence[TrainingRun], setup: CohortSetup, stop: Stop, meter: Meter) -> None:
    """Evaluates the selected weights of each run and publishes its result.

    Raises:
        Interrupted: If a stop was requested; the state is saved.
        OutOfSharedMemory: If memory is short beside other cohorts; likewise.
    """
    for position, run in enumerate(trained):
        if stop.requested:
            save_all(trained[position:])
            raise Interrupted("stopped before the last evaluation")
        try:
            with run.attempt():
                used = machine(setup.device, setup.precision)
                conclude(run.folder, run.state, setup, used, meter)
        except OutOfSharedMemory:
            save_all(trained[position:])
            raise


def _leave_if_stopped(stop: Stop) -> None:
    """Before the first step there is nothing to save.

    Raises:
        Interrupted: If a stop was requested.
    """
    if stop.requested:
        raise Interrupted("stopped before the first step")


def _read_specs(folders: Sequence[RunFolder]) -> dict[RunFolder, RunSpec]:
    """The runs' specs; one that cannot be read is the failure of its run."""
    specs: dict[RunFolder, RunSpec] = {}
    for folder in folders:
        try:
            specs[folder] = folder.spec()
        except StoreError as error:
            write_failure(folder, error)
    return specs


def _check_cohort(specs: Mapping[RunFolder, RunSpec]) -> None:
    """Refuses runs that one loop cannot step together."""
    if len(specs) == 1:
        return
    shared = {
        (Store.of(folder).root, spec.context.model_dump_json(), spec.seed, encoder_weights(spec))
        for folder, spec in specs.items()
    }
    if len(shared) > 1 or not all(isinstance(each.variant, SamVariant) for each in specs.values()):
        names = ", ".join(spec.name for spec in specs.values())
        raise BadInput(
            f"{names} cannot be trained together",
            "only runs of adapted SAM that share store, protocol, data, weights and seed can; "
            "submit the others one by one",
        )


def _cohort_setup(
    spec: RunSpec,
    store: Store,
    device: torch.device,
    planned_s: float,
    shared: SharedDevice | None,
) -> CohortSetup:
    """What the runs of a cohort share besides the weights; they were planned at ``planned_s``."""
    protocol = spec.context.protocol
    generated = isinstance(protocol.data, GeneratedData)
    root = None if generated else store.source(spec.context.data.digest)

    def opened() -> tuple[Images, str]:
        try:
            images = open_images(protocol.data, root, store.digests_path)
            return images, identify(images, protocol.split, root).digest
        except DataError as error:
            # What is odd about them is no help where they were well when the run was planned.
            if root and root.exists() and changes_since(root, planned_s, store.digests_path):
                raise _changed(root, planned_s, store) from error
            raise

    images, digest = opened()
    if digest != spec.context.data.digest:
        raise _changed(root, planned_s, store)
    if root is not None:
        remember_data_files(store, digest, root)

    def digest_now() -> str:
        # Of the images alone: the digest of a run's data also has the parts that lists name.
        again = opened()[0].digest()
        if again != images.digest():
            raise _changed(root, planned_s, store)
        return again

    check = None if generated else digest_now
    prepared = prepare(images, protocol.image_size_px, store.cache_path, check)
    found = parts(prepared.names, protocol.split, root)
    precision = precision_on(device, protocol.precision)
    train, validation, test = (list(part) for part in found)
    return CohortSetup(
        protocol, spec.seed, prepared, train, validation, device, precision, test, shared
    )


def _changed(root: Path | None, planned_s: float, store: Store) -> DataError:
    """The error of images that are others than planned, with the names of the files."""
    names = changes_since(root, planned_s, store.digests_path) if root else ""
    return DataError(
        f"the images in {root} are no longer those that this run was planned for"
        + (f" ({names})" if names else ""),
        "restore them, or start the sweep again",
    )


def _load(spec: RunSpec, store: Store, device: torch.device, *, half: bool) -> Weights:
    """The weights that the model starts from; empty where it starts from random values.

    SAM's weights go to the device here, once: all models of the cohort share them there.
    """
    sha256 = spec.weights.sha256
    if isinstance(spec.variant, CnnVariant):
        resnet = spec.variant.resnet
        if sha256 == random_resnet(resnet).sha256:
            return {}
        weights = load_resnet(resnet, checkpoint_of(store, sha256))
        return _taken(weights, torch.device("cpu"), store, sha256)
    official = is_from_file(spec)
    weights = sam_weights(spec, checkpoint_of(store, sha256) if official else None, half=half)
    if not official:
        return {name: value.to(device) for name, value in weights.items()}
    return _taken(weights, device, store, sha256)


def _taken(weights: Weights, device: torch.device, store: Store, sha256: str) -> Weights:
    """Copies weights out of their file, which is mapped: what is written to it later is no matter.

    Without a copy the frozen image encoder would change with the file, and the process would die
    where the file is cut short.

    Raises:
        WeightsError: If the file has changed meanwhile, or holds values that are not finite: from
            them, nothing can be trained, and what is only evaluated would still give numbers.
    """
    copies = {name: value.to(device, copy=True) for name, value in weights.items()}
    path = checkpoint_of(store, sha256)
    odd = [name for name, value in copies.items() if not torch.isfinite(value).all()]
    if odd:
        raise WeightsError(
            f"{path} holds NaN or infinite values in {odd[0]}", "give weights that are whole"
        )
    return copies


def _model(spec: RunSpec, weights: Weights, device: torch.device) -> SegmentationModel | ZeroShot:
    """The run's variant on the device."""
    model = build_model(spec, weights, device)
    if spec.context.protocol.compile and isinstance(model, SegmentationModel):
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
            "restore it, or start the sweep again",
        )
    return path
