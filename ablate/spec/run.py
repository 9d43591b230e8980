"""A run: variant × repeat × protocol × data × weights, and the key that names it."""

from typing import Any

from pydantic import Field, model_validator

from ablate.spec.backbone import BACKBONES, BackboneName
from ablate.spec.canonical import digest_of
from ablate.spec.frozen import Frozen
from ablate.spec.protocol import Protocol
from ablate.spec.repeat import Repeat
from ablate.spec.resnet import RESNETS, ResNetName
from ablate.spec.variant import Variant

# Raised by one whenever the engine gives other numbers, or another key, for the same spec.
ENGINE_VERSION = 6


class DataIdentity(Frozen):
    """Which images a run learns from.

    Attributes:
        label: How tables and watermarks call the data.
        digest: SHA-256 over names and contents (of the recipe, for generated scenes), and over what
            files say of the split: the names of all parts, or the group of every image.
        train: Number of training images.
        validation: Number of validation images.
        test: Number of images of the test part; 0 where there is none.
    """

    label: str
    digest: str
    train: int
    validation: int
    test: int = 0


class WeightsIdentity(Frozen):
    """Which frozen weights a run starts from.

    Attributes:
        label: How tables and watermarks call them.
        backbone: The image encoder that they fit.
        sha256: Of the file.
    """

    label: str
    backbone: BackboneName
    sha256: str


# The file is part of the package: ablate/models/nano.safetensors (docs/nano.md).
NANO_WEIGHTS = WeightsIdentity(
    label="SAM-nano",
    backbone="vit_nano",
    sha256="2d301897cf8d745874097d009b853c0b54d68ab304f013a6c0c8412738e523c4",
)


class ResNetIdentity(Frozen):
    """Which values a CNN baseline's ResNet starts from.

    Attributes:
        label: How tables and watermarks call them.
        sha256: Of the file (of the recipe, for random values).
    """

    label: str
    sha256: str

    def is_official(self, resnet: ResNetName) -> bool:
        """Whether it is one of torchvision's files, by the digits of their names."""
        return self.sha256.startswith(RESNETS[resnet].official_digits)


def random_resnet(resnet: ResNetName) -> ResNetIdentity:
    """The identity of a ResNet that starts from random values, drawn from the run's seed."""
    return ResNetIdentity(
        label=f"random {RESNETS[resnet].label}",
        sha256=digest_of({"resnet": resnet, "recipe": "random", "version": 1}),
    )


class Context(Frozen):
    """Everything that the runs of one table share: all but the variant and the seed.

    Attributes:
        protocol: The recipe.
        data: The images.
        weights: The SAM that variants are built on.
        resnets: What the ResNets of CNN baselines start from, as far as the table has any.
        engine: The version of the engine that computes the runs.
    """

    protocol: Protocol
    data: DataIdentity
    weights: WeightsIdentity
    resnets: dict[ResNetName, ResNetIdentity] = Field(default_factory=dict)
    engine: int = Field(default=ENGINE_VERSION, ge=1)

    @property
    def watermark(self) -> str | None:
        """The sentence that everything made from these runs carries; None if comparable.

        Comparable with published values are runs of an unaltered protocol, from SAM's official
        weights and torchvision's, on a split of the published size.
        """
        split = self.protocol.published_split
        sizes = (self.data.train, self.data.validation)
        official = self.weights.sha256 == BACKBONES[self.weights.backbone].checkpoint_sha256
        foreign = [each for name, each in self.resnets.items() if not each.is_official(name)]
        if official and not foreign and split and (split.train, split.validation) == sizes:
            return None
        parts = ", ".join([self.data.label, self.weights.label, *(each.label for each in foreign)])
        return f"{self.protocol.label}: {parts}; not comparable with the published values"

    @property
    def id(self) -> str:
        """Eight hex digits that distinguish the contexts of one sweep."""
        return digest_of(self.identity())[:8]

    def identity(self) -> dict[str, Any]:
        """What decides the runs of a table, besides their variants and seeds."""
        return {
            "protocol": self.protocol.identity(),
            "data": self.data.digest,
            "weights": self.weights.sha256,
            "resnets": {name: each.sha256 for name, each in self.resnets.items()},
            "engine": self.engine,
        }


class RunSpec(Frozen):
    """One training, completely specified.

    Attributes:
        name: The variant's name.
        variant: What is built.
        context: What it shares with the other runs of its table.
        seed: Decides the adapter's initialisation, the order of the batches and the jitter.
        split: The number of the split in its table, 0 for the protocol's own. A name only: the
            context has the split itself.
    """

    name: str
    variant: Variant
    context: Context
    seed: int = Field(ge=0, lt=2**32)
    split: int = Field(default=0, ge=0)

    @property
    def repeat(self) -> Repeat:
        """What it is paired by with runs of other rows."""
        return Repeat(self.split, self.seed)

    @property
    def label(self) -> str:
        """The name that tables print."""
        return self.variant.label or self.name

    @property
    def backbone_name(self) -> BackboneName | None:
        """The SAM that is built: the variant's own or the protocol's; None for a CNN baseline."""
        if self.variant.system == "cnn":
            return None
        return self.variant.backbone or self.context.protocol.backbone

    @property
    def epochs(self) -> int:
        """How many epochs it trains; 0 where it is only evaluated."""
        return self.context.protocol.epochs if self.variant.is_trained else 0

    @property
    def weights(self) -> WeightsIdentity | ResNetIdentity:
        """What the model starts from: a SAM, or a CNN baseline's ResNet."""
        if self.variant.system == "cnn":
            return self.context.resnets[self.variant.resnet]
        return self.context.weights

    @property
    def key(self) -> str:
        """The name of the run's folder: 16 hex digits over all that decides the result.

        What is only evaluated has neither a seed nor a recipe of training in it.
        """
        protocol = self.context.protocol
        recipe = protocol.identity() if self.variant.is_trained else protocol.evaluation_identity()
        if self.variant.system == "cnn":
            # A CNN is not prompted.
            del recipe["prompt_weights"]
        seed = {"seed": self.seed} if self.variant.is_trained else {}
        return digest_of(
            seed
            | {
                "protocol": recipe,
                "variant": self.variant.identity(protocol.backbone),
                "data": self.context.data.digest,
                "weights": self.weights.sha256,
                "engine": self.context.engine,
            }
        )[:16]

    @model_validator(mode="after")
    def _weights_are_named(self) -> "RunSpec":
        if self.variant.system == "cnn" and self.variant.resnet not in self.context.resnets:
            raise ValueError(f"the context names no weights for {self.variant.resnet}")
        return self

    @model_validator(mode="after")
    def _variant_is_concrete(self) -> "RunSpec":
        if self.variant.system == "sam" and self.variant.match:
            raise ValueError("a run has the value that the variant's match finds, not the match")
        return self
