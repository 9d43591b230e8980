"""A protocol: the training recipe that all variants of a sweep share."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from ablate.spec.backbone import PATCH_SIZE_PX, BackboneName
from ablate.spec.frozen import Frozen
from ablate.spec.pixels import Band, MaskValues, Metres, Scale
from ablate.spec.split import Seed, Split
from ablate.spec.task import Task

# Bounds far above any sensible use, so that a slip of the keyboard is refused at once.
MAX_IMAGE_SIZE_PX = 4096
MAX_GENERATED_SCENES = 100_000
MAX_EPOCHS = 100_000
MAX_BATCH_SIZE = 65_536

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Rgb = tuple[float, float, float]
Landslide4SensePart = Literal["TrainData", "ValidData", "TestData"]
Channel = Annotated[int, Field(ge=0, le=13)]
Precision = Literal["float32", "tf32", "bfloat16"]


def _checked_pattern(pattern: str) -> str:
    """A pattern of names below a folder.

    Raises:
        ValueError: If it has no ``{stem}``, other placeholders, or leads out of the folder.
    """
    rest = pattern.replace("{folder}", "").replace("{stem}", "")
    if "{stem}" not in pattern or "{" in rest or "}" in rest:
        raise ValueError(
            f"{pattern} is not a pattern: it has one {{stem}} or more, may have a {{folder}}, and "
            "no other braces"
        )
    if {"", ".", ".."} & set(pattern.split("/")):
        raise ValueError(f"{pattern} is not a path below its folder")
    if "*" in pattern.removesuffix(".*"):
        raise ValueError(f"{pattern} has a * elsewhere than in .* at its end")
    return pattern


NamePattern = Annotated[str, AfterValidator(_checked_pattern)]


class BijieData(Frozen):
    """The Bijie landslide data set: ``landslide/image/*.png`` and ``landslide/mask/*.png``.

    Attributes:
        kind: The discriminator.
    """

    kind: Literal["bijie"]


class FoldersData(Frozen):
    """Any pair of folders, or one folder, whose images and masks belong together by their names.

    Attributes:
        kind: The discriminator.
        images: Folder of the images, below the data set's root; ``.`` is the root.
        masks: Folder of the masks, below the data set's root. Undeclared, a mask may hold 0 and one
            other value, the positive class.
        image: How the images are called below ``images``, such as ``{stem}.jpg``. ``{stem}`` is
            what an image and its mask share, ``{folder}`` a folder that both lie in, of the same
            name (the image is then called ``FOLDER/STEM``). Neither stands for a ``/``: nested
            folders are read only where a pattern has them. ``.*`` at the end is any suffix of an
            image that is read, in either case.
        mask: How the masks are called below ``masks``, such as ``{stem}_label.png``. A file that
            both patterns fit belongs to the one with more fixed letters.
        folders: What ``{folder}`` may be; empty: any folder. Parts that lie ready in folders are
            found with ``[train, val]``.
        bands: What becomes red, green and blue, counted from 0; None: the one band of grey
            images, the first three of RGB. Images of other numbers of bands are refused without it.
        scale: How values become 0 to 255; None: images are of 8 bits, and stay as they are.
        mask_values: Which values of the masks are positive; None: the one besides 0.
        ground_resolution_m: How many metres a pixel of the images as they are in their files is
            wide on the ground, so that maps can be compared with it (docs/maps.md); None: what
            GeoTIFF files say of themselves. It changes no training.
    """

    kind: Literal["folders"]
    images: str
    masks: str
    image: NamePattern = "{stem}.*"
    mask: NamePattern = "{stem}.*"
    folders: tuple[str, ...] = ()
    bands: tuple[Band, Band, Band] | None = None
    scale: Scale | None = Field(default=None, discriminator="kind")
    mask_values: MaskValues | None = None
    ground_resolution_m: Metres | None = None

    @model_validator(mode="after")
    def _both_have_a_folder(self) -> "FoldersData":
        in_one = [each for each in (self.image, self.mask) if "{folder}" in each]
        if len(in_one) == 1:
            raise ValueError(f"{in_one[0]} has a {{folder}}, the other pattern has none")
        if self.folders and not in_one:
            raise ValueError("folders are listed, but image and mask have no {folder}")
        return self


class CocoData(Frozen):
    """Images in a folder and their outlines in a JSON file, as in COCO's instances.

    Attributes:
        kind: The discriminator.
        images: Folder of the images, below the data set's root, such as ``{folder}/images``;
            ``{folder}`` is one of ``folders``. Images that the file does not name are left out.
        annotations: The JSON file, below the data set's root, such as
            ``annotations/instances_{folder}.json``. Polygons and run lengths are read, compressed
            ones too; an image without annotations has an empty mask.
        categories: Names of the categories that are positive; empty: all.
        folders: The parts that have a JSON file each, such as ``[train, val]``; an image is then
            called ``FOLDER/STEM``, and a split of the kind ``folders`` keeps the parts. Empty:
            there is one file.
        bands: What becomes red, green and blue, counted from 0; None: the one band of grey
            images, the first three of RGB. Images of other numbers of bands are refused without it.
        scale: How values become 0 to 255; None: images are of 8 bits, and stay as they are.
        ground_resolution_m: How many metres a pixel of the images as they are in their files is
            wide on the ground, so that maps can be compared with it (docs/maps.md); None: what
            GeoTIFF files say of themselves. It changes no training.
    """

    kind: Literal["coco"]
    images: str = "images"
    annotations: str = "annotations.json"
    categories: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    bands: tuple[Band, Band, Band] | None = None
    scale: Scale | None = Field(default=None, discriminator="kind")
    ground_resolution_m: Metres | None = None

    @model_validator(mode="after")
    def _every_part_has_a_file(self) -> "CocoData":
        for text in (self.images, self.annotations):
            if "{" in (rest := text.replace("{folder}", "")) or "}" in rest:
                raise ValueError(f"{text} has braces that are not {{folder}}")
            if "{folder}" in text and not self.folders:
                raise ValueError(f"{text} has a {{folder}}, and no folders are listed")
        if self.folders and "{folder}" not in self.annotations:
            raise ValueError(
                f"folders are listed, but annotations ({self.annotations}) has no {{folder}}"
            )
        return self


class Landslide4SenseData(Frozen):
    """Landslide4Sense: an HDF5 file of 14 channels for each image, one for each mask.

    Attributes:
        kind: The discriminator.
        part: The published part that is split into training and validation images.
        channels: What becomes red, green and blue, counted from 0 (Sentinel-2's B4, B3 and B2).
        scale: A pixel is value·scale, cut to a whole number of 0..255.
    """

    kind: Literal["landslide4sense"]
    part: Landslide4SensePart = "TrainData"
    channels: tuple[Channel, Channel, Channel] = (3, 2, 1)
    scale: Positive


class GeneratedData(Frozen):
    """Procedural landslide scenes, made on the fly.

    Attributes:
        kind: The discriminator.
        seed: Decides every scene.
        count: Number of scenes.
        size_px: Side of a scene.
    """

    kind: Literal["generated"]
    seed: Seed
    count: int = Field(ge=2, le=MAX_GENERATED_SCENES)
    size_px: int = Field(ge=32, le=MAX_IMAGE_SIZE_PX)


Data = Annotated[
    BijieData | FoldersData | CocoData | Landslide4SenseData | GeneratedData,
    Field(discriminator="kind"),
]


class PublishedSplit(Frozen):
    """How many images the published values were trained and validated on.

    Attributes:
        train: The number of training images.
        validation: The number of validation images.
    """

    train: int = Field(ge=1)
    validation: int = Field(ge=1)


class ColorJitter(Frozen):
    """torchvision's ColorJitter: the range of each factor.

    Attributes:
        brightness: The range of brightness's factor, around 1.
        contrast: The range of contrast's factor, around 1.
        saturation: The range of saturation's factor, around 1.
        hue: The range of hue's shift, around 0, in turns.
        images: Which images are altered. ``training``; ``all``: validation images too, anew in
            every epoch, as in the authors' public code.
    """

    brightness: NonNegative
    contrast: NonNegative
    saturation: NonNegative
    hue: float = Field(ge=0, le=0.5)
    images: Literal["training", "all"] = "training"


class AdamW(Frozen):
    """Adam with decoupled weight decay (Loshchilov and Hutter).

    Attributes:
        kind: The discriminator.
        lr: The learning rate of the first epoch.
        weight_decay: The part of each weight, times the learning rate, that a step takes away.
    """

    kind: Literal["adamw"]
    lr: Positive
    weight_decay: NonNegative


class Cosine(Frozen):
    """Cosine decay, stepped once an epoch, from the optimiser's rate to ``lr_min``.

    Attributes:
        kind: The discriminator.
        lr_min: The learning rate that the last step ends at; not above the optimiser's.
    """

    kind: Literal["cosine"]
    lr_min: NonNegative


class Loss(Frozen):
    """bce·BCE + dice·Dice, the Dice flattened over the batch and smoothed by ``dice_smooth``.

    Attributes:
        bce: The weight of the binary cross-entropy.
        dice: The weight of the Dice loss; one of the two weights is above 0.
        dice_smooth: Added to numerator and denominator of Dice's fraction.
    """

    bce: NonNegative
    dice: NonNegative
    dice_smooth: Positive

    @model_validator(mode="after")
    def _something_is_left(self) -> "Loss":
        if self.bce == 0 and self.dice == 0:
            raise ValueError("bce and dice are both 0: there is nothing to minimise")
        return self


class Protocol(Frozen):
    """The training recipe.

    Attributes:
        name: The file's stem.
        overrides: The ``KEY=VALUE`` that ``--set`` laid over the file.
        task: What is segmented, and the scores that are shown.
        published_split: The split that the published values are based on; only on a split of that
            size do tables go without a watermark. None: never.
        backbone: The image encoder of every variant that names none.
        image_size_px: Side of the square that images and masks are resized to.
        data: The data set.
        split: Which images train and which validate.
        mean: Subtracted from the channels of an image in 0..1.
        std: Divides the channels after that.
        color_jitter: Augmentation; None: none.
        prompt_weights: Where the no-mask embedding and the matrix of the positional encoding come
            from: the ``checkpoint``, or ``random`` values, with which the authors' public code
            leaves them (it looks for them under other names than SAM's, with strict=False).
        epochs: Passes over the training images.
        batch_size: Images in a step.
        optimizer: What moves the trained parameters.
        schedule: How the learning rate decays.
        loss: What is minimised.
        selection: Whose epoch's weights are kept: the lowest validation loss, or the last.
        precision: ``float32``: in full, convolutions included; ``tf32``: float32 whose factors of
            products and convolutions are rounded to TF32, on GPUs that have it; ``bfloat16``:
            autocast on devices that have it. Others compute in float32, and the report says so.
        compile: The blocks of every encoder that is trained (SAM's with their adapters, a ResNet's)
            are compiled before the first step: equal but for rounding. What is only evaluated is
            not. No shipped protocol asks for it: the demo takes less time than compiling it,
            and what it saves at full size has been measured on no GPU yet.
    """

    name: str
    overrides: tuple[str, ...] = ()
    task: Task
    published_split: PublishedSplit | None
    backbone: BackboneName
    image_size_px: int = Field(ge=PATCH_SIZE_PX, le=MAX_IMAGE_SIZE_PX, multiple_of=PATCH_SIZE_PX)
    data: Data
    split: Split
    mean: Rgb
    std: tuple[Positive, Positive, Positive]
    color_jitter: ColorJitter | None
    prompt_weights: Literal["checkpoint", "random"] = "checkpoint"
    epochs: int = Field(ge=1, le=MAX_EPOCHS)
    batch_size: int = Field(ge=1, le=MAX_BATCH_SIZE)
    optimizer: AdamW
    schedule: Cosine
    loss: Loss
    selection: Literal["validation-loss", "last"]
    precision: Precision
    compile: bool = False

    @model_validator(mode="after")
    def _rate_decays(self) -> "Protocol":
        if self.schedule.lr_min > self.optimizer.lr:
            raise ValueError(
                f"schedule.lr_min {self.schedule.lr_min} is above optimizer.lr {self.optimizer.lr}"
            )
        return self

    @property
    def label(self) -> str:
        """The name with its overrides: ``demo with epochs=3``."""
        return f"{self.name} with {', '.join(self.overrides)}" if self.overrides else self.name

    def identity(self) -> dict[str, Any]:
        """What decides a training: all but names, the data (by digest) and the backbone.

        The backbone is part of the variant's identity, the data set has a digest of its own.
        """
        names = {"name", "overrides", "published_split", "data", "backbone", "task"}
        recipe = self.model_dump(mode="json", exclude=names) | {"threshold": self.task.threshold}
        return recipe | self._counted()

    def evaluation_identity(self) -> dict[str, Any]:
        """What decides the scores of a model that is evaluated without training."""
        return self.model_dump(mode="json", include={"image_size_px", "split"}) | self._counted()

    def _counted(self) -> dict[str, Any]:
        """What a result has besides right and wrong pixels, where it has any."""
        counted = self.task.counted()
        return {"counted": counted} if counted else {}
