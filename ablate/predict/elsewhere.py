"""A trained model, scored on images that are not of its own data set."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ablate.data import Images, Prepared, identify, open_images, prepare, verify
from ablate.data.scaling import Ranges
from ablate.data.splitting import FittedImages, parts
from ablate.errors import BadInput, DataError
from ablate.metrics import Confusion, scores
from ablate.metrics.masks import count_images
from ablate.models.devices import limit_threads, machine, precision_on
from ablate.predict.pool import Copy
from ablate.runs import EvaluatedData, Evaluation, MicroBatch, Store, shown
from ablate.runs.cells import CELLS, MASK_COUNTS
from ablate.runs.evaluations import EVALUATION_VERSION
from ablate.spec import CocoData, Data, FoldersData, GeneratedData, PercentileScale, RunSpec


def open_elsewhere(data: Data, root: Path, ranges: Ranges | None, store: Store) -> Images:
    """All images of another data set, to be read as those that a model was trained on.

    Args:
        data: How they are laid out and read.
        root: Their folder.
        ranges: The percentiles of the training images; None: none are declared.
        store: Keeps digests of files, and which data sets were read as a whole.

    Raises:
        DataError: If a pair is missing, broken or of a kind that would be misread; or if images
            are scaled by percentiles, and the model was trained without.
    """
    declared = data.scale if isinstance(data, FoldersData | CocoData) else None
    if isinstance(declared, PercentileScale) and ranges is None:
        raise DataError(
            f"{root} is to be scaled by percentiles, and the model was trained without",
            "declare how its training images were scaled (--set data.scale=…)",
        )
    digests = store.digests_path if store.root.exists() else None
    images = open_images(data, root, digests)
    if ranges is not None and isinstance(images, FittedImages):
        images.scale_by(ranges)
    verify(images, digests)
    return images


def training_pixels(spec: RunSpec, store: Store) -> frozenset[str] | None:
    """Digests of a run's training images, at the size that its model takes.

    Returns:
        None where the images are no longer there, have changed, or are not in the store's cache.
    """
    protocol, digest = spec.context.protocol, spec.context.data.digest
    try:
        root = None if isinstance(protocol.data, GeneratedData) else store.source(digest)
        images = open_images(protocol.data, root, store.digests_path)
        if identify(images, protocol.split, root).digest != digest:
            return None
        cached = store.cache_path / f"{images.digest()}-{protocol.image_size_px}px"
        if not cached.is_dir():
            return None
        prepared = prepare(images, protocol.image_size_px, store.cache_path)
        train = parts(prepared.names, protocol.split, root).train
        return frozenset(_pixels(prepared, index) for index in train)
    except BadInput:
        return None


def _pixels(prepared: Prepared, index: int) -> str:
    return hashlib.sha256(np.asarray(prepared.images[index]).tobytes()).hexdigest()


def prepared_at(size_px: int, store: Store, opened: Callable[[], Images]) -> Prepared:
    """The images at the size that a model takes, resized as those of a training are.

    Args:
        size_px: Side of the square.
        store: Keeps them.
        opened: Opens the data set; again once they are read, to see whether files have changed.

    Raises:
        DataError: If an image is broken, none is positive, or they have changed meanwhile.
    """
    return prepare(opened(), size_px, store.cache_path, lambda: opened().digest())


def evaluate_elsewhere(
    copy: Copy,
    run: str,
    images: Images,
    prepared: Prepared,
    trained: frozenset[str] | None,
    advance: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Scores a model on every image, in batches of its protocol, as its own test part is.

    Args:
        copy: The model of a finished run.
        run: The run's key.
        images: The data set.
        prepared: The same, at the model's size.
        trained: Digests of the run's training images; None: they are not known.
        advance: Is told how many images are done.

    Raises:
        OutOfMemory: If not even one image fits into the device's memory.
        RunFailed: If the device fails.
    """
    (model,) = copy.models
    protocol = model.spec.context.protocol
    limit_threads(model.spec.context.weights.backbone)
    confusions: list[Confusion] = []
    for start in range(0, len(prepared.names), protocol.batch_size):
        stop = start + protocol.batch_size
        logits = copy.logits(np.asarray(prepared.images[start:stop]))[0]
        masks = torch.from_numpy(np.array(prepared.masks[start:stop]))
        confusions += count_images(logits[:, None], masks[:, None], protocol.task)
        advance(len(confusions))
    pooled = sum(confusions, Confusion.none())
    names = [name for name in (*CELLS, *MASK_COUNTS[-1]) if name in pooled.cells]
    return Evaluation(
        run=run,
        weights_sha256=model.weights_sha256,
        data=EvaluatedData(label=images.label, digest=images.digest()),
        task=protocol.task.counting(),
        version=EVALUATION_VERSION,
        names=tuple(map(shown, prepared.names)),
        counts={name: tuple(each.cells[name] for each in confusions) for name in names},
        metrics=scores(pooled),
        trained_images=None
        if trained is None
        else sum(_pixels(prepared, index) in trained for index in range(len(prepared.names))),
        machine=machine(model.device, precision_on(model.device, protocol.precision)),
        micro_batches=_micro_batches(copy, min(protocol.batch_size, len(prepared.names))),
        finished=time.time(),
    )


def _micro_batches(copy: Copy, batch: int) -> tuple[MicroBatch, ...]:
    """What memory has allowed, of a batch with so many images."""
    at_once = copy.at_once
    if at_once is None or at_once >= batch:
        return ()
    return (MicroBatch(purpose="evaluation", images=at_once, batch=batch, after_steps=0),)
