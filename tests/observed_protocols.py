"""What a protocol does, as a value that two of them can be compared by.

Runs are trained, images opened. Neither a spec's own dump nor a run's key is part of it.
"""

from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import h5py
import numpy as np
import torch
from PIL import Image
from torch.optim.optimizer import register_optimizer_step_post_hook

from ablate.data import identify, open_images, prepare
from ablate.errors import BadInput
from ablate.metrics import scores
from ablate.metrics.masks import count_images
from ablate.models import SegmentationModel, count
from ablate.models.devices import computing_in
from ablate.plan import identify_weights, provenance
from ablate.predict.ground import ground_of_data
from ablate.registry import Catalogue
from ablate.runs import (
    SpecFile,
    Store,
)
from ablate.spec import (
    BACKBONES,
    NANO_WEIGHTS,
    Context,
    Precision,
    Protocol,
    RunSpec,
    Variant,
    WeightsIdentity,
)
from ablate.train import work
from ablate.train.loss import segmentation_loss
from ablate.train.worker import _model as _model_of_run
from layouts import write_declared
from observed_variants import DATA, forward, nano


@cache
def trained(protocol: Protocol, variant: Variant | None = None) -> dict[str, object]:
    """What a short run under the protocol leaves in its folder: losses, weights, pixels."""
    return _trained(protocol, variant)


def counted(protocol: Protocol) -> dict[str, float]:
    """The scores of a mask that lacks the lower half of a square of 16 and all but a pixel of 4."""
    actual = torch.zeros(1, 1, 64, 64)
    actual[..., 8:24, 8:24] = actual[..., 40:42, 40:42] = 1
    logits = actual - 0.5
    logits[..., 16:24, :] = logits[..., 41:, :] = logits[..., 41] = -1
    (found,) = count_images(logits, actual, protocol.task)
    return scores(found)


def trained_in_its_precision(protocol: Protocol) -> dict[str, object]:
    """The same where every precision can be had, and a GPU's switches while losses are taken."""
    switches = set()

    def spied(*words: Any) -> torch.Tensor:
        switches.add((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
        return segmentation_loss(*words)

    def on_a_gpu(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
        return computing_in(torch.device("cuda"), precision)

    with (
        mock.patch("ablate.train.worker.precision_on", lambda device, allowed: allowed),
        mock.patch("ablate.train.worker.computing_in", on_a_gpu),
        mock.patch("ablate.train.cohort_setup.segmentation_loss", spied),
    ):
        return _trained(protocol) | {"switches": switches}


def compiled(protocol: Protocol) -> frozenset[str]:
    """The modules of a run's model that are compiled when they are first called."""
    context = Context(protocol=protocol, data=DATA, weights=NANO_WEIGHTS)
    variant = Catalogue().variant("translandseg")
    spec = RunSpec(name="row", variant=variant, context=context, seed=0)
    limits = ("recompile_limit", "accumulated_recompile_limit", "fail_on_recompile_limit_hit")
    config = torch._dynamo.config
    with (
        config.patch({limit: getattr(config, limit) for limit in limits}),
        mock.patch("ablate.models.compiling._check_compiler"),
    ):
        model = _model_of_run(spec, nano(), torch.device("cpu"))
    assert isinstance(model, SegmentationModel)
    return frozenset(n for n, each in model.named_modules() if each._compiled_call_impl)


def _trained(protocol: Protocol, variant: Variant | None = None) -> dict[str, object]:
    variant = variant or Catalogue().variant("translandseg")
    data = identify(open_images(protocol.data, None), protocol.split)
    context = Context(protocol=protocol, data=data, weights=NANO_WEIGHTS)
    spec = RunSpec(name="row", variant=variant, context=context, seed=0)
    with TemporaryDirectory() as root:
        folder = Store(Path(root)).run(spec.key)
        folder.create(SpecFile(key=spec.key, run=spec, provenance=provenance()))
        work([folder.path], "cpu")
        result = folder.result()
        assert result is not None, folder.failure()
        losses = ("train_loss", "val_loss")
        return {
            "epochs": [[event.metrics[each] for each in losses] for event in folder.events()],
            "steps": result.steps,
            "selected": result.epoch,
            "weights": folder.weights_path.read_bytes(),
            "pixels": folder.confusion_path.read_bytes(),
        }


def classes_used(protocol: Protocol) -> set[str]:
    """The classes that step while a run is trained: optimiser and schedule."""
    names: set[str] = set()
    step = torch.optim.lr_scheduler.LRScheduler.step

    def spied(schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
        names.add(type(schedule).__name__)
        step(schedule)

    hook = register_optimizer_step_post_hook(
        lambda optimizer, *_: names.add(type(optimizer).__name__)
    )
    with mock.patch.object(torch.optim.lr_scheduler.LRScheduler, "step", spied):
        _trained(protocol)
    hook.remove()
    return names


def opened(protocol: Protocol) -> tuple[bytes, bytes]:
    """The pixels of all images and masks, from a folder that has every layout in it."""
    with TemporaryDirectory() as root, TemporaryDirectory() as cache_:
        write_every_layout(Path(root))
        images = open_images(protocol.data, Path(root))
        prepared = prepare(images, protocol.image_size_px, Path(cache_))
        return prepared.images.tobytes(), prepared.masks.tobytes()


def ground(protocol: Protocol) -> float | None:
    """Metres that a pixel of the model's square was wide in training."""
    with TemporaryDirectory() as root:
        write_every_layout(Path(root))
        return ground_of_data(protocol.data, Path(root), protocol.image_size_px)


def fitted(protocol: Protocol) -> tuple[bytes, bytes] | str:
    """The first image, scaled by what the training images hold, and its mask, or a refusal."""
    with TemporaryDirectory() as root:
        write_every_layout(Path(root))
        images = open_images(protocol.data, Path(root))
        identify(images, protocol.split)
        try:
            image, mask = images.load(0)
        except BadInput as error:
            return str(error).replace(root, "")
    return image.tobytes(), mask.tobytes()


def watermarked(protocol: Protocol) -> str | None:
    """What tables carry whose runs start from SAM's own weights, on ten images and five."""
    geometry = BACKBONES["vit_l"]
    sha256 = str(geometry.checkpoint_sha256)
    weights = WeightsIdentity(label=geometry.label, backbone="vit_l", sha256=sha256)
    return Context(protocol=protocol, data=DATA, weights=weights).watermark


def built_on(protocol: Protocol) -> int:
    """The parameters of a model on the SAM that a sweep takes weights of."""
    with TemporaryDirectory() as root:
        checkpoint = Path(root) / "weights.pth"
        checkpoint.write_bytes(b"never read")
        needs_one = BACKBONES[protocol.backbone].checkpoint is not None
        weights = identify_weights(protocol.backbone, checkpoint if needs_one else None)
    return count(Catalogue().variant("translandseg"), weights.backbone).total


def write_every_layout(root: Path) -> None:
    folders = ("landslide/image", "landslide/mask", "left", "right", "masks", "other-masks")
    for seed, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        random = np.random.default_rng(seed)
        for name in "abcd":
            pixels = random.integers(0, 256, (12, 9, 3), dtype=np.uint8)
            if folder.endswith(("mask", "masks")):
                pixels = (pixels[..., 0] > 127).astype(np.uint8) * 255
            Image.fromarray(pixels).save(root / folder / f"{name}.png")
    write_declared(root)
    for seed, part in enumerate(("TrainData", "ValidData", "TestData")):
        random = np.random.default_rng(seed)
        for folder, key, shape in (("img", "img", (128, 128, 14)), ("mask", "mask", (128, 128))):
            (root / part / folder).mkdir(parents=True)
            values = random.random(shape) * 9 if key == "img" else random.integers(0, 2, shape)
            prefix = "image" if key == "img" else "mask"
            with h5py.File(root / part / folder / f"{prefix}_1.h5", "w") as file:
                file.create_dataset(key, data=values)


def forget() -> None:
    """Empties the caches: everything is computed again."""
    for remembered in (trained, forward):
        remembered.cache_clear()
