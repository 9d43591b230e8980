"""A run: variant × seed × protocol × data × weights, and the key that names it."""

from typing import Any

from pydantic import Field

from ablate.spec.backbone import BACKBONES, Backbone, BackboneName
from ablate.spec.base import Frozen, digest_of
from ablate.spec.protocol import Protocol
from ablate.spec.variant import Variant

# Raised by one whenever the engine gives other numbers for the same spec.
ENGINE_VERSION = 1


class DataIdentity(Frozen):
    """Which images a run learns from.

    Attributes:
        label: How tables and watermarks call the data.
        digest: SHA-256 over names and contents (of the recipe, for generated scenes).
        train: Number of training images.
        validation: Number of validation images.
    """

    label: str
    digest: str
    train: int
    validation: int


class WeightsIdentity(Frozen):
    """Which frozen weights a run starts from.

    Attributes:
        label: How tables and watermarks call them.
        backbone: The image encoder that they fit.
        sha256: Of the file (of the recipe, for weights that ablate makes).
    """

    label: str
    backbone: BackboneName
    sha256: str


# SAM-nano's weights are made from a recipe (ablate/models/nano.py); another recipe is another
# version.
NANO_WEIGHTS = WeightsIdentity(
    label="SAM-nano",
    backbone="vit_nano",
    sha256=digest_of({"backbone": "vit_nano", "recipe": "seeded", "version": 1}),
)


class Context(Frozen):
    """Everything that the runs of one table share: all but the variant and the seed."""

    protocol: Protocol
    data: DataIdentity
    weights: WeightsIdentity

    @property
    def watermark(self) -> str | None:
        """The sentence that everything made from these runs carries; None if comparable.

        Comparable with published values are runs of an unaltered protocol, from SAM's official
        weights, on a split of the published size.
        """
        split = self.protocol.published_split
        sizes = (self.data.train, self.data.validation)
        official = self.weights.sha256 == BACKBONES[self.weights.backbone].checkpoint_sha256
        if official and split and (split.train, split.validation) == sizes:
            return None
        return (
            f"{self.protocol.name}: {self.data.label}, {self.weights.label}; "
            "not comparable with the published values"
        )

    @property
    def id(self) -> str:
        """Eight hex digits that tell contexts of one sweep apart."""
        return digest_of(self.identity())[:8]

    def identity(self) -> dict[str, Any]:
        """What decides the training, besides the variant and the seed."""
        return {
            "protocol": self.protocol.identity(),
            "data": self.data.digest,
            "weights": self.weights.sha256,
            "engine": ENGINE_VERSION,
        }


class RunSpec(Frozen):
    """One training, fully said.

    Attributes:
        name: The variant's name.
        variant: What is built.
        context: What it shares with the other runs of its table.
        seed: Decides the adapter's initialisation, the order of the batches and the jitter.
    """

    name: str
    variant: Variant
    context: Context
    seed: int = Field(ge=0)

    @property
    def label(self) -> str:
        """The name that tables print."""
        return self.variant.label or self.name

    @property
    def backbone_name(self) -> BackboneName:
        """The variant's own backbone, or else the protocol's."""
        return self.variant.backbone or self.context.protocol.backbone

    @property
    def backbone(self) -> Backbone:
        """The geometry of the image encoder."""
        return BACKBONES[self.backbone_name]

    @property
    def key(self) -> str:
        """The name of the run's folder: 16 hex digits over all that decides the result."""
        return digest_of(
            self.context.identity()
            | {
                "variant": self.variant.identity(self.context.protocol.backbone),
                "seed": self.seed,
            }
        )[:16]
