"""A small sweep on disk: runs that end as a test says, through the store's own interface."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.numpy import save

from ablate.metrics import Confusion, scores
from ablate.registry import Catalogue
from ablate.report import Report, build_report, parameters_key
from ablate.report.model import Row
from ablate.runs import (
    Confusions,
    Event,
    Failure,
    Machine,
    MicroBatch,
    Parameters,
    PartScores,
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
    CnnVariant,
    Comparison,
    Context,
    DataIdentity,
    HoldoutSplit,
    InteriorPoints,
    NoAdapter,
    Protocol,
    PublishedSplit,
    ResNetIdentity,
    ResNetName,
    RunSpec,
    SamVariant,
    Sweep,
    Variant,
    WeightsIdentity,
    ZeroShotVariant,
    digest_of,
    random_resnet,
)
from structures import STRUCTURES, labelled_structure

ROWS = tuple(f"translandseg{end}" for end in ("-1", "-2", "-3", "-5", "-7", "-9", ""))
CNN_BASELINES = ("ccnet", "deeplabv3plus", "unet", "pspnet")
# Table I as the shipped sweep has it.
FIVE_AND_SAM = (*CNN_BASELINES, "translandseg", "sam-points")
MACHINE = Machine(
    device="cpu", device_name="A processor", threads=2, precision="float32", torch="2.10.0"
)
GENERATED = DataIdentity(
    label="generated data", digest=digest_of("scenes"), train=159, validation=69
)
VIT_L = Parameters(total=312_459_684, trainable=4_181_412, adapter=123_072, sites=24)
NOTHING_TRAINED = Parameters(total=312_342_832, trainable=0, adapter=0, sites=0)
# Total and trained parameters of the interpretations of the paper's Table III, on SAM ViT-L.
TABLE_3 = {
    "ccnet": (71_269_443, 71_269_443),
    "deeplabv3plus": (40_347_041, 40_347_041),
    "unet": (75_361_281, 75_361_281),
    "pspnet": (46_582_337, 46_582_337),
    "translandseg": (312_459_684, 4_181_412),
    "translandseg-23-sites": (312_454_556, 4_176_284),
    "translandseg-released": (312_453_412, 4_175_140),
}


def counts() -> dict[str, Parameters]:
    """Table III's interpretations, counted."""
    catalogue = Catalogue()
    return {
        parameters_key(catalogue.variant(name), "vit_l"): Parameters(
            total=total, trainable=trainable, adapter=0, sites=0
        )
        for name, (total, trainable) in TABLE_3.items()
    }


def variant_of(name: str) -> Variant:
    label = name.replace("translandseg", "TransLandSeg")
    if name in CNN_BASELINES:
        return CnnVariant.model_validate({"system": "cnn", "label": label, "architecture": name})
    if name == "sam-points":
        prompts = InteriorPoints(kind="interior-points")
        return ZeroShotVariant(system="sam-zero-shot", label="SAM, one point", prompts=prompts)
    if name in STRUCTURES:
        return labelled_structure(name)
    return SamVariant(
        system="sam", label=label, adapter=NoAdapter(kind="none"), trained=("mask_decoder",)
    )


@dataclass
class SweepOnDisk:
    """A sweep whose runs end as a test says.

    ``variants`` replaces what ``variant_of`` declares, and ``today`` is what is declared now.
    """

    root: Path
    protocol: Protocol
    names: Sequence[str] = ROWS
    seeds: Sequence[int] = (0,)
    splits: Sequence[int] = (0,)
    published: str | None = "table4"
    baseline: str | None = "translandseg"
    comparisons: tuple[Comparison, ...] = ()
    weights: WeightsIdentity = NANO_WEIGHTS
    variants: dict[str, Variant] = field(default_factory=dict)
    today: Mapping[str, Variant] = field(default_factory=dict)
    title: str = "Table IV: ten structures"
    data: DataIdentity = GENERATED
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.root)

    def variant(self, name: str) -> Variant:
        return self.variants.get(name) or variant_of(name)

    @property
    def context(self) -> Context:
        return self.context_of(0)

    def context_of(self, split: int) -> Context:
        """The context of a numbered split: a shuffle of its own."""
        declared = self.protocol.split
        assert isinstance(declared, HoldoutSplit)
        shuffle = declared.model_copy(update={"seed": declared.seed + split})
        protocol = self.protocol.model_copy(update={"split": shuffle})
        variants = [self.variant(name) for name in self.names]
        resnets: dict[ResNetName, ResNetIdentity] = {
            variant.resnet: random_resnet(variant.resnet)
            for variant in variants
            if isinstance(variant, CnnVariant)
        }
        return Context(protocol=protocol, data=self.data, weights=self.weights, resnets=resnets)

    def make_comparable(self) -> None:
        """Gives it a split of the published size and SAM's official weights."""
        data, geometry = self.context.data, BACKBONES["vit_l"]
        split = PublishedSplit(train=data.train, validation=data.validation)
        self.protocol = self.protocol.model_copy(update={"published_split": split})
        self.weights = WeightsIdentity(
            label=geometry.label, backbone="vit_l", sha256=str(geometry.checkpoint_sha256)
        )

    @property
    def sweep(self) -> Sweep:
        return Sweep(
            name="table4",
            title=self.title,
            protocol=self.protocol.name,
            seeds=tuple(self.seeds),
            baseline=self.baseline,
            published=self.published,
            comparisons=self.comparisons,
            variants=tuple(self.names),
        )

    @property
    def runs(self) -> list[RunSpec]:
        """As they are planned: what is only evaluated has the lowest seed alone."""
        return [
            self.run(name, seed, split)
            for name in self.names
            for split in self.splits
            for seed in (self.seeds if self.variant(name).is_trained else (min(self.seeds),))
        ]

    def run(self, name: str, seed: int = 0, split: int = 0) -> RunSpec:
        return RunSpec(
            name=name,
            variant=self.variant(name),
            context=self.context_of(split),
            seed=seed,
            split=split,
        )

    def folder(self, name: str, seed: int = 0, split: int = 0) -> RunFolder:
        return self.store.run(self.run(name, seed, split).key)

    def begin(
        self, name: str, seed: int = 0, commit: str | None = "abc1234", split: int = 0
    ) -> RunFolder:
        run = self.run(name, seed, split)
        folder = self.store.run(run.key)
        provenance = Provenance(
            created=1.7e9, ablate="0.1.0", commit=commit, python="3.11.2", packages={"numpy": "2.2"}
        )
        folder.create(SpecFile(key=run.key, run=run, provenance=provenance))
        return folder

    def finish(
        self,
        name: str,
        seed: int = 0,
        miou: float | None = None,
        parameters: Parameters = VIT_L,
        machine: Machine = MACHINE,
        commit: str | None = "abc1234",
        finished: float = 1.7e9 + 60,
        confusion: tuple[int, int, int, int] = (8_000, 1_100, 1_000, 89_900),
        epochs: Sequence[float] = (),
        selected: int = 7,
        split: int = 0,
        test_miou: float | None = None,
        pixels_by_image: Mapping[str, tuple[int, int, int, int]] | None = None,
        micro_batches: tuple[MicroBatch, ...] = (),
    ) -> None:
        """Ends a run; ``epochs`` are the MIoUs (fractions) of all epochs, else 20 equal ones.

        ``pixels_by_image`` (tp, fp, fn, tn) takes the place of ``confusion`` on four images.
        """
        folder = self.begin(name, seed, commit, split)
        if epochs:
            miou = epochs[selected - 1]
        if miou is not None:
            confusion = pixels_of(miou)
        if pixels_by_image is None:
            images = leave_confusions(folder, confusion)
        else:
            folder.write_confusions(list(pixels_by_image), list(pixels_by_image.values()))
            images = folder.confusions()
        pixels = images.pooled
        metrics = scores(Confusion(**pixels))
        if miou is not None:
            # Whole numbers of pixels come near enough, but tests may want the very value.
            metrics["miou"] = miou
        is_trained = self.variant(name).is_trained
        if is_trained:
            metrics["val_loss"] = 0.1
            leave_events(folder, epochs or [metrics["miou"]] * 20)
        weights_sha256 = leave_weights(folder)
        folder.publish_result(
            Result(
                key=folder.key,
                epoch=selected * is_trained,
                epochs=(len(epochs) or 20) * is_trained,
                steps=400 * is_trained,
                metrics=metrics,
                confusion=pixels,
                parameters=parameters,
                weights_sha256=weights_sha256,
                machine=machine,
                finished=finished,
                train_s=12.5,
                test=None if test_miou is None else leave_test_scores(folder, test_miou),
                micro_batches=micro_batches,
            )
        )

    def fail(self, name: str, seed: int = 0, kind: str = "error", why: str = "no memory") -> None:
        self.begin(name, seed).write_failure(
            Failure(kind=kind, message=why, detail="", time=1.7e9 + 30)
        )

    def interrupt(self, name: str, seed: int = 0) -> None:
        self.begin(name, seed).save_checkpoint(1, b"state")

    def start(self) -> SweepRecord:
        """Notes that the sweep was started with its rows and seeds of now."""
        return self.store.record_sweep(self.sweep, self.context, self.runs)

    def report(self) -> Report:
        return build_report(self.start(), self.store, parameters=counts(), today=self.today)


def pixels_of(miou: float) -> tuple[int, int, int, int]:
    """Pixels (tp, fp, fn, tn) of this MIoU, a fraction, with as many errors of both kinds.

    Nine in a hundred are positive; of scores that are too low for that, every second one.
    """
    for positive in (9 * 10**10, 50 * 10**10):
        background = 10**12 - positive
        low, high = 0, positive
        while high - low > 1:
            errors = (low + high) // 2
            found = scores(Confusion(positive - errors, errors, errors, background - errors))
            low, high = (errors, high) if found["miou"] > miou else (low, errors)
        if high < positive:
            break
    return (positive - low, low, low, background - low)


def leave_weights(folder: RunFolder) -> str:
    """Weights without a tensor, which is what a run that is only evaluated leaves.

    Returns:
        Their SHA-256.
    """
    content = save({})
    folder.weights_path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def unsealed(result: Path) -> None:
    """Makes a ``result.json`` one of an older version, which carried no digests."""
    document = json.loads(result.read_text())
    del document["files"], document["sha256"]
    result.write_text(json.dumps(document, indent=2))


def leave_confusions(folder: RunFolder, pixels: Sequence[int], images: int = 4) -> Confusions:
    """The pixels (tp, fp, fn, tn) of a whole validation part, spread over some images."""
    counts = [[count // images for count in pixels] for _ in range(images)]
    counts[-1] = [count // images + count % images for count in pixels]
    folder.write_confusions([f"scene-{number}" for number in range(images)], counts)
    return folder.confusions()


def leave_test_scores(folder: RunFolder, miou: float, images: int = 3) -> PartScores:
    """Scores and pixels on a test part of some images."""
    pixels = dict(zip(("tp", "fp", "fn", "tn"), pixels_of(miou), strict=True))
    counts = [[count // images for count in pixels.values()] for _ in range(images)]
    counts[-1] = [count // images + count % images for count in pixels.values()]
    folder.write_test_confusions([f"test-{number}" for number in range(images)], counts)
    return PartScores(images=images, metrics=scores(Confusion(**pixels)), confusion=pixels)


def leave_events(folder: RunFolder, mious: Sequence[float]) -> None:
    """The ends of epochs with these MIoUs, written at once."""
    lines = (
        Event(epoch=epoch, step=20 * epoch, time=1.7e9 + epoch, metrics={"miou": miou})
        for epoch, miou in enumerate(mious, start=1)
    )
    text = "".join(line.model_dump_json() + "\n" for line in lines)
    (folder.path / "events.jsonl").write_text(text)


def row_of(table: SweepOnDisk, name: str) -> Row:
    """One row of the report as it is now."""
    return next(row for row in table.report().rows if row.name == name)


def mixed_report(table: SweepOnDisk) -> Report:
    """A report of two results, a failure and rows that were never run."""
    table.comparisons = (Comparison(claim="…", better="translandseg", worse=("translandseg-1",)),)
    table.finish("translandseg", miou=0.8812)
    table.finish("translandseg-1", miou=0.8456)
    table.fail("translandseg-2", why="no memory")
    return table.report()


def five_systems(table: SweepOnDisk) -> Report:
    """Table I: four CNN baselines, the paper's model and unadapted SAM."""
    table.names, table.published = FIVE_AND_SAM, "table1"
    table.finish("pspnet", miou=0.80)
    table.finish("translandseg", miou=0.88)
    table.finish("sam-points", miou=0.50, parameters=NOTHING_TRAINED)
    return table.report()
