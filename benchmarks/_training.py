"""Variants trained together as ``ablate run`` trains them, without its commands and its plan."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ablate.data import identify, open_images, prepare, split
from ablate.models import build, load_weights, with_half_precision_encoder
from ablate.models.devices import computing_in
from ablate.plan import provenance
from ablate.registry import Catalogue
from ablate.runs import SpecFile, Store
from ablate.spec import (
    NANO_WEIGHTS,
    Context,
    GeneratedData,
    Precision,
    Protocol,
    RunSpec,
    SamVariant,
)
from ablate.train.cohort_setup import CohortSetup
from ablate.train.engine import Engine
from ablate.train.meter import Meter
from ablate.train.signals import Stop
from ablate.train.training_run import TrainingRun


def train_together(
    setup: CohortSetup,
    context: Context,
    weights: Mapping[str, torch.Tensor],
    names: Sequence[str],
    store: Store,
) -> list[TrainingRun]:
    """Trains variants on one frozen image encoder, in the setup's precision.

    Args:
        setup: Recipe, data and device.
        context: What the runs are called by.
        weights: Of a whole SAM, float32, on the device.
        names: The variants.
        store: Where the runs' folders are made.

    Returns:
        The runs; one that has failed has its failure in its folder.
    """
    backbone, size_px = context.protocol.backbone, context.protocol.image_size_px
    if setup.precision == "bfloat16":
        weights = with_half_precision_encoder(weights, backbone)
    runs = []
    for name in names:
        variant = Catalogue().variant(name)
        if not isinstance(variant, SamVariant):
            sys.exit(f"{name} is not an adapter on SAM; name variants such as translandseg")
        spec = RunSpec(name=name, variant=variant, context=context, seed=setup.seed)
        folder = store.run(spec.key)
        folder.create(SpecFile(key=spec.key, run=spec, provenance=provenance()))
        model = build(variant, backbone, image_size_px=size_px, weights=weights, seed=setup.seed)
        runs.append(TrainingRun(folder, model, setup))
    with (
        Meter([run.folder for run in runs], setup.device) as meter,
        computing_in(setup.device, setup.precision),
    ):
        Engine(setup, runs, Stop(), meter).train()
    return runs


@dataclass(frozen=True)
class Curve:
    """What every epoch of a run said.

    Attributes:
        variant: Its name.
        precision: What it was computed in.
        seed: Of adapter and batches.
        epochs: The metrics of each epoch.
    """

    variant: str
    precision: Precision
    seed: int
    epochs: list[dict[str, float]]


def train_curves(
    names: Sequence[str],
    precision: Precision,
    seed: int,
    protocol: Protocol,
    root: Path,
    device: torch.device,
) -> list[Curve]:
    """Trains SAM-nano's variants, in a precision that the device may not have in hardware.

    Data that are not generated lie in ``root / "data"``.
    """
    protocol = protocol.model_copy(update={"precision": precision})
    store = Store(root / "store")
    data = None if isinstance(protocol.data, GeneratedData) else root / "data"
    images = open_images(protocol.data, data)
    prepared = prepare(images, protocol.image_size_px, store.cache_path)
    training, validation = split(len(prepared.names), protocol.split)
    setup = CohortSetup(protocol, seed, prepared, training, validation, device, precision)
    context = Context(
        protocol=protocol, data=identify(images, protocol.split, data), weights=NANO_WEIGHTS
    )
    weights = {name: each.to(device) for name, each in load_weights("vit_nano", None).items()}
    runs = train_together(setup, context, weights, names, store)
    curves = []
    for name, run in zip(names, runs, strict=True):
        if failure := run.folder.failure():
            sys.exit(f"{name} in {precision}, seed {seed}: {failure.message}")
        curves.append(
            Curve(name, precision, seed, [event.metrics for event in run.folder.events()])
        )
    return curves
