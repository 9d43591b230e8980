"""What a spec does, as a value that two specs can be compared by.

Everything here is computed: models are built and evaluated, runs trained, images opened, sweeps
planned and reported. Neither a spec's own dump nor a run's key is part of it.
"""

import contextlib
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import h5py
import numpy as np
import torch
import yaml
from PIL import Image
from torch.optim.optimizer import register_optimizer_step_post_hook

from ablate.data import identify, open_images, prepare
from ablate.data.splitting import parts
from ablate.errors import BadInput
from ablate.metrics import Confusion, scores
from ablate.metrics.masks import count_images
from ablate.models import SegmentationModel, build, build_cnn, build_zero_shot, count, load_weights
from ablate.models.devices import computing_in
from ablate.plan import identify_weights, provenance, sweep_runs
from ablate.predict.ground import ground_of_data
from ablate.registry import Catalogue
from ablate.report import build_report, render, required_parameters
from ablate.runs import (
    Event,
    Machine,
    Parameters,
    Provenance,
    Result,
    RunFolder,
    SpecFile,
    Store,
)
from ablate.spec import (
    BACKBONES,
    METRIC_NAMES,
    NANO_WEIGHTS,
    CnnVariant,
    Context,
    DataIdentity,
    Precision,
    Protocol,
    RunSpec,
    SamVariant,
    Sweep,
    Variant,
    WeightsIdentity,
    ZeroShotVariant,
    digest_of,
    random_resnet,
)
from ablate.study import Study
from ablate.study.matching import match_rows
from ablate.study.tuning_ledger import Ledger
from ablate.train import work
from ablate.train.loss import segmentation_loss
from ablate.train.worker import _model as _model_of_run
from layouts import write_declared
from report.sweep_on_disk import leave_confusions, pixels_of

_DEMO = Catalogue().protocol("demo")
_SIDE_PX = 64
_DATA = DataIdentity(label="some images", digest="0" * 64, train=10, validation=5)
# Made up: no report computes anything from them.
_PARAMETERS = Parameters(total=4, trainable=3, adapter=2, sites=1)
_PROVENANCE = Provenance(created=1.7e9, ablate="0", commit="0", python="3", packages={})
_MACHINE = Machine(
    device="cpu", device_name="A processor", threads=1, precision="float32", torch="2"
)


# Variants ---------------------------------------------------------------------------------


def logits(variant: Variant) -> bytes:
    """The logits of a model with perturbed adapters for two images."""
    return _forward(variant)[0]


def loss(variant: Variant) -> float:
    """The loss that training would minimise on two images."""
    return _forward(variant)[1]


def mask(variant: Variant) -> bytes:
    """The pixels of one image that it predicts to be positive."""
    if isinstance(variant, ZeroShotVariant):
        model = build_zero_shot(
            variant,
            "vit_nano",
            image_size_px=_SIDE_PX,
            weights=_nano(),
            device=torch.device("cpu"),
        )
        return model.predict(*_scene()).tobytes()
    first, _ = np.frombuffer(logits(variant), np.float32).reshape(2, _SIDE_PX, _SIDE_PX)
    return (first > 0).tobytes()


def moved(variant: Variant) -> frozenset[str]:
    """The parameters that a step of training moves: those that have a gradient."""
    if isinstance(variant, ZeroShotVariant):
        return frozenset()
    model = _model(variant)
    _step(model)[1].backward()
    return frozenset(n for n, value in model.named_parameters() if value.grad is not None)


def matched(variant: SamVariant) -> dict[str, int]:
    """The numbers of the adapter as it would be run."""
    catalogue = Catalogue()
    with TemporaryDirectory() as root:
        rows = match_rows({"row": variant}, catalogue, "vit_nano", Store(Path(root) / "none")).rows
    adapter = rows["row"].adapter.model_dump()  # type: ignore[union-attr]
    return {name: adapter[name] for name in ("width", "kernel_size")}


def mask_and_moved(variant: Variant) -> tuple[bytes, frozenset[str]]:
    """What every system has."""
    return mask(variant), moved(variant)


def labelled(variant: Variant) -> str:
    """The report of a sweep that was started with this one row, and not run yet."""
    resnets = {}
    if isinstance(variant, CnnVariant):
        resnets[variant.resnet] = random_resnet(variant.resnet)
    protocol = _DEMO
    context = Context(protocol=protocol, data=_DATA, weights=NANO_WEIGHTS, resnets=resnets)
    run = RunSpec(name="row", variant=variant, context=context, seed=0)
    sweep = Sweep(name="rows", title="Rows", protocol="demo", seeds=(0,), variants=("row",))
    return _report(sweep, context, [run], {}, "markdown")


def fits(variant: Variant) -> dict[str, int]:
    """The SAMs whose weights the variant can be run on, with the parameters of the model."""
    counted = {}
    for backbone in BACKBONES:
        protocol = _DEMO.model_copy(update={"backbone": backbone})
        weights = WeightsIdentity(label="weights", backbone=backbone, sha256="0" * 64)
        context = Context(protocol=protocol, data=_DATA, weights=weights)
        with contextlib.suppress(BadInput):
            (run,) = sweep_runs({"row": variant}, context, [0])
            counted[backbone] = count(run.variant, run.context.weights.backbone).total
    return counted


@cache
def _nano() -> dict[str, torch.Tensor]:
    return load_weights("vit_nano", None)


def _model(variant: SamVariant | CnnVariant) -> SegmentationModel:
    """A small one: on SAM-nano, or on a random ResNet."""
    if isinstance(variant, CnnVariant):
        return build_cnn(variant, None, seed=0)
    return build(variant, "vit_nano", image_size_px=_SIDE_PX, weights=_nano(), seed=0)


@cache
def _forward(variant: SamVariant | CnnVariant) -> tuple[bytes, float]:
    """Logits (2x1xSxS) and the loss; adapters are moved off zeros that would hide them."""
    model = _model(variant)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for adapter in getattr(model, "adapters", ()):
            for parameter in adapter.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
        predicted, minimised = _step(model)
    return predicted.numpy().tobytes(), minimised.item()


def _step(model: SegmentationModel) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits and the loss of a step of training on two images."""
    image, mask = (torch.from_numpy(array) for array in _scene())
    images = torch.stack((image, image.flip(1))).permute(0, 3, 1, 2) / 255
    masks = torch.stack((mask, mask.flip(1)))[:, None].float()
    with torch.random.fork_rng(devices=[]):
        # For dropout.
        torch.manual_seed(0)
        weighted = model.train().weighted_logits(images)
    how = _DEMO.loss
    losses = [weight * segmentation_loss(each, masks, how) for weight, each in weighted]
    return weighted[0][1], torch.stack(losses).sum()


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """An image of noise (HxWx3) and a mask (HxW) with two positive regions."""
    image = np.random.default_rng(3).integers(0, 256, (_SIDE_PX, _SIDE_PX, 3), dtype=np.uint8)
    mask = np.zeros((_SIDE_PX, _SIDE_PX), dtype=np.bool_)
    mask[:50] = True
    mask[55:, :9] = True
    return image, mask


# Protocols --------------------------------------------------------------------------------


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
    context = Context(protocol=protocol, data=_DATA, weights=NANO_WEIGHTS)
    variant = Catalogue().variant("translandseg")
    spec = RunSpec(name="row", variant=variant, context=context, seed=0)
    limits = ("recompile_limit", "accumulated_recompile_limit", "fail_on_recompile_limit_hit")
    config = torch._dynamo.config
    with (
        config.patch({limit: getattr(config, limit) for limit in limits}),
        mock.patch("ablate.models.compiling._check_compiler"),
    ):
        model = _model_of_run(spec, _nano(), torch.device("cpu"))
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
        _write_every_layout(Path(root))
        images = open_images(protocol.data, Path(root))
        prepared = prepare(images, protocol.image_size_px, Path(cache_))
        return prepared.images.tobytes(), prepared.masks.tobytes()


def ground(protocol: Protocol) -> float | None:
    """Metres that a pixel of the model's square was wide in training."""
    with TemporaryDirectory() as root:
        _write_every_layout(Path(root))
        return ground_of_data(protocol.data, Path(root), protocol.image_size_px)


def fitted(protocol: Protocol) -> tuple[bytes, bytes] | str:
    """The first image, scaled by what the training images hold, and its mask, or a refusal."""
    with TemporaryDirectory() as root:
        _write_every_layout(Path(root))
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
    return Context(protocol=protocol, data=_DATA, weights=weights).watermark


def built_on(protocol: Protocol) -> int:
    """The parameters of a model on the SAM that a sweep takes weights of."""
    with TemporaryDirectory() as root:
        checkpoint = Path(root) / "weights.pth"
        checkpoint.write_bytes(b"never read")
        needs_one = BACKBONES[protocol.backbone].checkpoint is not None
        weights = identify_weights(protocol.backbone, checkpoint if needs_one else None)
    return count(Catalogue().variant("translandseg"), weights.backbone).total


def _write_every_layout(root: Path) -> None:
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


# Sweeps -----------------------------------------------------------------------------------


def planned(sweep: Sweep) -> list[tuple[int, int, bytes]]:
    """The runs that are planned for it: seed, epochs and the logits of the model."""
    with _working_folder() as root:
        _write_every_layout(root / "data")
        for name, epochs in (("short", 1), ("long", 2)):
            recipe = {"extends": "demo", "data": {"kind": "bijie"}, "epochs": epochs}
            _write_yaml(root / f"sweeps/protocols/{name}.yaml", recipe)
        _write_yaml(root / "sweeps/mine.yaml", sweep.model_dump(mode="json", exclude={"name"}))
        study = Study("mine", data=root / "data", store=root / "store", devices=["cpu"])
        runs = [run.spec for run in study.plan().plan.runs]
    return [(run.seed, run.epochs, logits(run.variant)) for run in runs]


def tuned(sweep: Sweep) -> object:
    """What its tuning tries, on which images, and what it chooses from made-up scores.

    Of the n-th trial of a row, the n-th score is the highest.
    """
    with _working_folder() as root:
        data = {"kind": "generated", "seed": 1, "count": 20, "size_px": 64}
        _write_yaml(root / "sweeps/protocols/short.yaml", {"extends": "demo", "data": data})
        _write_yaml(root / "sweeps/mine.yaml", sweep.model_dump(mode="json", exclude={"name"}))
        study = Study("mine", store=root / "store", devices=["cpu"])
        try:
            planning = study.plan_tuning(trials=len(METRIC_NAMES))
        except BadInput as error:
            return str(error)
        store = Store(root / "store")
        ledger = Ledger(planning, store)
        ledger.ask()
        for trial in ledger.trials():
            folder = store.run(trial.run.key)
            spec = planning.trial_spec_of(trial)
            folder.create(SpecFile(key=spec.key, run=spec, provenance=_PROVENANCE))
            result = _result(folder, 0.5)
            metrics = dict.fromkeys(METRIC_NAMES, 0.5) | {METRIC_NAMES[trial.number - 1]: 0.9}
            folder.publish_result(result.model_copy(update={"metrics": metrics}))
        ledger.choose()
        split = planning.inner.protocol.split
        return (
            [(trial.run.name, trial.setting) for trial in ledger.trials()],
            [row.trial for row in ledger.record.tuned],
            parts([str(number) for number in range(20)], split, None),
        )


def reported(sweep: Sweep) -> tuple[str, str]:
    """Its report as a page and as a table, from results that are made up."""
    context = Context(protocol=_DEMO, data=_DATA, weights=NANO_WEIGHTS)
    return _report_of(sweep, context, "markdown"), _report_of(sweep, context, "csv")


def reported_under(protocol: Protocol) -> str:
    """The page of one row's report under the protocol, beside no published table."""
    context = Context(protocol=protocol, data=_DATA, weights=NANO_WEIGHTS)
    sweep = Sweep(
        name="rows", title="Rows", protocol="demo", seeds=(0,), variants=("translandseg",)
    )
    return _report_of(sweep, context, "markdown")


def _report_of(sweep: Sweep, context: Context, format: str) -> str:
    """The report of finished runs of the sweep, each row a little worse than the one before."""
    catalogue = Catalogue()
    mious = {}
    runs = []
    for row, name in enumerate(sweep.variants):
        for seed in sweep.seeds:
            run = RunSpec(name=name, variant=catalogue.variant(name), context=context, seed=seed)
            runs.append(run)
            mious[run.key] = 0.8 - 0.05 * row + 0.001 * seed * (row + 1)
    return _report(sweep, context, runs, mious, format)


def _report(
    sweep: Sweep, context: Context, runs: list[RunSpec], mious: dict[str, float], format: str
) -> str:
    """The report of the sweep; the runs with a MIoU are finished."""
    with TemporaryDirectory() as root:
        store = Store(Path(root))
        for run in runs:
            if run.key in mious:
                folder = store.run(run.key)
                folder.create(SpecFile(key=run.key, run=run, provenance=_PROVENANCE))
                result = _result(folder, mious[run.key])
                for epoch in range(1, result.epochs + 1):
                    metrics = {"miou": mious[run.key] - 0.01 * abs(epoch - result.epoch)}
                    folder.append_event(Event(epoch=epoch, step=epoch, time=0.0, metrics=metrics))
                folder.publish_result(result)
        record = store.record_sweep(sweep, context, runs)
        parameters = dict.fromkeys(required_parameters(record), _PARAMETERS)
        return render(build_report(record, store, parameters=parameters), format)


def _result(folder: RunFolder, miou: float) -> Result:
    """A made-up result, and the pixels that it agrees with."""
    confusions = leave_confusions(folder, pixels_of(miou))
    return Result(
        key=folder.key,
        epoch=7,
        epochs=8,
        steps=400,
        metrics=scores(Confusion(**confusions.pooled)) | {"miou": miou, "val_loss": 0.1},
        confusion=confusions.pooled,
        parameters=_PARAMETERS,
        weights_sha256=digest_of("weights"),
        machine=_MACHINE,
        finished=1.7e9,
        train_s=12.5,
    )


# Folders ----------------------------------------------------------------------------------


@contextlib.contextmanager
def _working_folder() -> Any:
    """A folder to work in, whose variants and sweeps are read before those that ship."""
    with TemporaryDirectory() as root, contextlib.chdir(root):
        yield Path(root)


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def forget() -> None:
    """Empties the caches: everything is computed again."""
    for remembered in (trained, _forward):
        remembered.cache_clear()
