"""Trained rows put together again: from the folders of runs, or from an export."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from ablate.data import identify, open_images
from ablate.data.scaling import Ranges
from ablate.data.splitting import FittedImages
from ablate.errors import BadInput, DataError, OutOfMemory, StoreError, WeightsError
from ablate.models import SegmentationModel
from ablate.models.devices import precision_on
from ablate.models.from_spec import build_model, encoder_weights, is_from_file, sam_weights
from ablate.models.out_of_memory import is_out_of_memory
from ablate.predict.trained import TrainedModel
from ablate.runs import FileDigests, RunFolder, Store
from ablate.spec import (
    BACKBONES,
    CnnVariant,
    CocoData,
    FoldersData,
    PercentileScale,
    RunSpec,
    SamVariant,
    ZeroShotVariant,
)


def load_runs(
    folders: Sequence[RunFolder], checkpoint: Path | None, device: torch.device
) -> list[TrainedModel]:
    """The models of finished runs that differ in seed or split alone.

    Args:
        folders: The runs' folders.
        checkpoint: SAM's weights; None: where the store has last seen them.
        device: Where they are to compute.

    Raises:
        StoreError: If a run is not finished, or its weights are damaged.
        WeightsError: If the checkpoint is missing, or not the one that they were trained on.
        BadInput: If a run cannot predict without ground truth.
        DataError: If the training images are needed for their percentiles, and are not there.
        OutOfMemory: If they do not fit into the device's memory.
    """
    store = Store.of(folders[0])
    specs = [checked_spec(folder) for folder in folders]
    files = [(folder.weights_path, trained_weights(folder)) for folder in folders]
    ranges = [ranges_of(spec, store) for spec in specs]
    found = find_checkpoint(specs[0], checkpoint, store)
    return assemble_models(specs, files, ranges, found, device)


def checked_spec(folder: RunFolder) -> RunSpec:
    """The spec of a finished run whose model can predict.

    Raises:
        StoreError: If the run is not finished, or its folder is damaged.
        BadInput: If it is unadapted SAM, which is prompted by the ground truth.
    """
    if folder.result() is None:
        raise StoreError(
            f"the run {folder.key} is not finished", "train it with `ablate run`, or name another"
        )
    spec = folder.spec()
    if isinstance(spec.variant, ZeroShotVariant):
        raise BadInput(
            f"{spec.name} is prompted by the ground truth, which a new image has not",
            "name a row that is trained",
        )
    return spec


def trained_weights(folder: RunFolder) -> bytes:
    """The file of what a finished run has trained, compared with the digest in its result.

    Raises:
        StoreError: If the file is missing or damaged.
    """
    result = folder.result()
    problem = folder.weights_problem()
    if result is None or problem is not None:
        raise StoreError(
            f"{folder.path}: {problem or 'there is no result'}", "restore it from a copy"
        )
    content = folder.weights_path.read_bytes()
    if hashlib.sha256(content).hexdigest() != result.weights_sha256:
        raise StoreError(
            f"{folder.weights_path} was changed after the run had ended", "restore it from a copy"
        )
    return content


def _tensors(content: bytes, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Raises:
        WeightsError: If it is none.
    """
    try:
        return load(content)
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged ({error})", "restore it from a copy") from error


def ranges_of(spec: RunSpec, store: Store) -> Ranges | None:
    """The percentiles that the run's images were scaled by; None: none are declared.

    Raises:
        DataError: If the training images have changed.
        StoreError: If the store does not know where they lie.
    """
    data = spec.context.protocol.data
    if not isinstance(data, FoldersData | CocoData) or not isinstance(data.scale, PercentileScale):
        return None
    root = store.source(spec.context.data.digest)
    images = open_images(data, root, store.digests_path)
    if identify(images, spec.context.protocol.split, root).digest != spec.context.data.digest:
        raise DataError(
            f"the images in {root} are no longer those that {spec.name} was trained on, whose "
            "percentiles scale new images",
            "restore them",
        )
    return images.fitted_ranges if isinstance(images, FittedImages) else None


def find_checkpoint(spec: RunSpec, given: Path | None, store: Store) -> Path | None:
    """The file of SAM's weights; None where there is none.

    Args:
        spec: A run that is built on them.
        given: The file that the user has named; None: where the store has last seen it.
        store: The run's store.

    Raises:
        WeightsError: If the store has not seen it.
    """
    if isinstance(spec.variant, CnnVariant) or not is_from_file(spec):
        return given
    if given is not None:
        return given
    try:
        return store.source(spec.weights.sha256)
    except StoreError as error:
        raise WeightsError(str(error.parts[0]), "give it with --checkpoint") from error


def assemble_models(
    specs: Sequence[RunSpec],
    files: Sequence[tuple[Path, bytes]],
    ranges: Sequence[Ranges | None],
    checkpoint: Path | None,
    device: torch.device,
    digest_of: Callable[[Path], str] | None = None,
) -> list[TrainedModel]:
    """Models that share the memory of what is frozen.

    Args:
        specs: Their runs, which differ in seed or split alone.
        files: The file of the trained weights of each, and what it holds.
        ranges: The percentiles of each.
        checkpoint: SAM's weights; None where they are part of ablate, or not needed.
        device: Where they are to compute.
        digest_of: SHA-256 of a file; None: it is read.

    Raises:
        WeightsError: If the checkpoint is missing, not needed, or another than the one that the
            weights were trained on; or if trained weights do not fit.
        OutOfMemory: If they do not fit into the device's memory.
    """
    first = specs[0]
    if not isinstance(first.variant, CnnVariant):
        check_checkpoint(first, checkpoint, digest_of or FileDigests(None).of)
    elif checkpoint is not None:
        raise WeightsError(
            f"{first.name} does not take a checkpoint, but {checkpoint} was given",
            "omit --checkpoint: all of this network is trained",
        )
    try:
        return _assembled(specs, files, ranges, checkpoint, device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        models = "the model does" if len(specs) == 1 else f"{len(specs)} models do"
        raise OutOfMemory(
            f"{models} not fit into the memory of {device}",
            "use a --device with more memory, or end what else uses it",
        ) from error


def _assembled(
    specs: Sequence[RunSpec],
    files: Sequence[tuple[Path, bytes]],
    ranges: Sequence[Ranges | None],
    checkpoint: Path | None,
    device: torch.device,
) -> list[TrainedModel]:
    frozen: dict[object, dict[str, torch.Tensor]] = {}
    models = []
    for spec, (path, content), own_ranges in zip(specs, files, ranges, strict=True):
        start: dict[str, torch.Tensor] = {}
        if isinstance(spec.variant, SamVariant):
            kind = (encoder_weights(spec), spec.seed * (encoder_weights(spec) == "random"))
            if kind not in frozen:
                frozen[kind] = _on_device(spec, checkpoint, device)
            start = frozen[kind]
        module = build_model(spec, start, device)
        assert isinstance(module, SegmentationModel)
        module.load_trainable_state(_tensors(content, path))
        digest = hashlib.sha256(content).hexdigest()
        models.append(TrainedModel(spec, module.eval(), device, own_ranges, digest))
    return models


def takes_checkpoint(spec: RunSpec) -> bool:
    """Whether a run was trained on a SAM whose weights are not part of ablate."""
    return not isinstance(spec.variant, CnnVariant) and is_from_file(spec)


def check_weights(specs: Sequence[RunSpec], checkpoint: Path | None, store: Store) -> None:
    """Makes sure that runs of several rows find the weights that they were trained on.

    Args:
        specs: The runs.
        checkpoint: SAM's weights, for those that take them; None: where the store has last seen
            them.
        store: Where the runs lie.

    Raises:
        WeightsError: If the checkpoint is missing, another, or no run takes one.
    """
    digests = FileDigests(store.digests_path if store.root.exists() else None)
    takers = {spec.weights.sha256: spec for spec in specs if takes_checkpoint(spec)}
    for spec in takers.values():
        check_checkpoint(spec, find_checkpoint(spec, checkpoint, store), digests.of)
    if checkpoint is not None and not takers and specs:
        check_checkpoint(specs[0], checkpoint, digests.of)


def check_checkpoint(
    spec: RunSpec, checkpoint: Path | None, digest_of: Callable[[Path], str]
) -> None:
    """Compares a file of SAM's weights with the one that a run was trained on.

    Raises:
        WeightsError: If it is missing, not needed, or another.
    """
    weights = spec.context.weights
    if not is_from_file(spec):
        if checkpoint is not None:
            raise WeightsError(
                f"{spec.name} was trained on {weights.label}, which is part of ablate, but the "
                f"checkpoint {checkpoint} was given",
                "omit the checkpoint",
            )
        return
    official = BACKBONES[weights.backbone].checkpoint
    if checkpoint is None:
        raise WeightsError(
            f"{spec.name} was trained on {weights.label}, whose weights are not part of it",
            f"give the path of {official}",
        )
    if not checkpoint.is_file():
        raise WeightsError(f"there is no file {checkpoint}", f"give the path of {official}")
    if (found := digest_of(checkpoint)) != weights.sha256:
        raise WeightsError(
            f"{checkpoint} is not the checkpoint that {spec.name} was trained on (its SHA-256 is "
            f"{found[:12]}…, not {weights.sha256[:12]}…)",
            f"give {weights.label}, the file {official}",
        )


def _on_device(
    spec: RunSpec, checkpoint: Path | None, device: torch.device
) -> dict[str, torch.Tensor]:
    """SAM's weights, copied out of their file."""
    assert isinstance(spec.variant, SamVariant)
    is_half = precision_on(device, spec.context.protocol.precision) == "bfloat16"
    half = is_half and not spec.variant.needs_exact_encoder
    weights = sam_weights(spec, checkpoint, half=half)
    return {name: value.to(device, copy=checkpoint is not None) for name, value in weights.items()}
