"""A variant: one row of a table.

A variant describes itself: ``columns`` and ``describe`` are what tables, lists, drawings and MLflow
show of it.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, RootModel, model_validator

from ablate.spec.adapter import Adapter
from ablate.spec.backbone import BACKBONES, BackboneName
from ablate.spec.frozen import Cell, Frozen
from ablate.spec.match import Match, is_whole_number, value_at, whole_numbers
from ablate.spec.own_adapter import OwnAdapter
from ablate.spec.peft_adapter import PeftAdapter
from ablate.spec.resnet import ARCHITECTURES, RESNETS, ArchitectureName, ResNetName
from ablate.spec.sites import canonical_sites, chosen_blocks

# Along a side: 65,536 prompts for each image. SAM's own code has 32.
MAX_POINTS_PER_SIDE = 256

Part = Literal[
    "adapter",
    "mask_decoder",
    "no_mask_embedding",
    "encoder_norms",
    "encoder_biases",
    "encoder",
]
_ENCODER_PARTS: tuple[Part, ...] = ("encoder_norms", "encoder_biases", "encoder")

_PART_NAMES: dict[Part, str] = {
    "adapter": "adapter",
    "mask_decoder": "mask decoder",
    "no_mask_embedding": "no-mask embedding",
    "encoder_norms": "norms of the image encoder",
    "encoder_biases": "biases of the image encoder",
    "encoder": "image encoder",
}


class SamVariant(Frozen):
    """SAM with an adapter, decoded without prompts.

    Attributes:
        system: What kind of model this is.
        label: The name that tables print; the variant's own name if not given.
        backbone: The image encoder; None: the protocol's.
        adapter: What is inserted into the frozen encoder.
        trained: The parts that learn; everything else is frozen. The no-mask embedding is
            counted as a parameter only where it is among them (the public code trains it).
            ``encoder_norms`` are the weights and biases of the image encoder's LayerNorms,
            ``encoder_biases`` all of its biases (BitFit), and ``encoder`` is all of it (full
            fine-tuning); adapters are none of these.
        encoder_weights: Where the frozen image encoder's values come from: SAM's weights, or
            random ones drawn from the run's seed, which show what SAM's pre-training is worth.
        match: Which field gets the value with which the adapter has as many parameters as that
            of another variant; None: every field is as declared. It depends on the backbone, so
            it is found for each sweep; what is run has the value and no match.
    """

    is_trained: ClassVar[bool] = True

    system: Literal["sam"]
    label: str | None = None
    backbone: BackboneName | None = None
    adapter: Adapter
    trained: tuple[Part, ...] = Field(min_length=1)
    encoder_weights: Literal["pretrained", "random"] = "pretrained"
    match: Match | None = None

    @model_validator(mode="after")
    def _trained_parts_exist(self) -> "SamVariant":
        if len(set(self.trained)) != len(self.trained):
            raise ValueError("trained lists a part twice; list each once")
        if self.adapter.kind == "none" and "adapter" in self.trained:
            raise ValueError("trained names the adapter, but adapter.kind is none")
        if self.adapter.kind != "none" and "adapter" not in self.trained:
            raise ValueError("an adapter that is not in trained stays random and ablates nothing")
        if "encoder" in self.trained and len(set(_ENCODER_PARTS) & set(self.trained)) > 1:
            raise ValueError(
                "trained names the encoder and a part of it; remove encoder_norms and "
                "encoder_biases, or encoder"
            )
        if self._adapts_the_decoder() and "mask_decoder" in self.trained:
            raise ValueError(
                "trained names the mask decoder, whose layers the adapter changes; remove "
                "mask_decoder from trained, or give adapter.on encoder"
            )
        return self

    @model_validator(mode="after")
    def _matched_field_exists(self) -> "SamVariant":
        if self.match and not is_whole_number(value_at(self, self.match.field)):
            known = whole_numbers(self)
            other = f", or name one of {', '.join(known)}" if known else ""
            raise ValueError(
                f"match.field {self.match.field} is not a whole number of this variant; declare "
                f"the one where the search begins{other}"
            )
        return self

    def with_match(self, match: Match) -> "SamVariant":
        """The variant with this match; as it is where it has one, or has no such field."""
        if self.match or not is_whole_number(value_at(self, match.field)):
            return self
        return self.model_copy(update={"match": match})

    def matched(self, value: int) -> "SamVariant":
        """The variant with this value in the field of its match, and without the match.

        Raises:
            ValidationError: If the field may not have this value.
        """
        content = self.model_dump(exclude={"match"})
        if self.match:
            *parents, last = self.match.field.split(".")
            below = content
            for parent in parents:
                below = below[parent]
            below[last] = value
        return SamVariant.model_validate(content)

    def _adapts_the_decoder(self) -> bool:
        return isinstance(self.adapter, PeftAdapter) and self.adapter.on != "encoder"

    def check_backbone(self, backbone: BackboneName) -> None:
        """Refuses an adapter that has no place in an encoder.

        Raises:
            BadInput: If ``sites`` names a block that it does not have.
        """
        chosen_blocks(getattr(self.adapter, "sites", "all"), BACKBONES[backbone].depth)

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages that its adapter needs besides what ablate always needs."""
        return getattr(self.adapter, "packages", ())

    @property
    def distributions(self) -> tuple[str, ...]:
        """Installed packages whose versions decide what its adapter computes."""
        own = self.adapter.distribution if isinstance(self.adapter, OwnAdapter) else None
        return (*self.packages, *((own,) if own else ()))

    @property
    def needs_exact_encoder(self) -> bool:
        """Whether the frozen encoder's weights must not be rounded to half precision beforehand.

        Where they are trained, or an adapter computes with the weights themselves, what comes out
        is another.
        """
        trained = set(_ENCODER_PARTS) & set(self.trained)
        return isinstance(self.adapter, PeftAdapter) or bool(trained)

    def identity(self, default_backbone: BackboneName) -> dict[str, Any]:
        """What decides the function that is trained: all but names, with defaults filled in."""
        backbone = self.backbone or default_backbone
        adapter = self.adapter.identity()
        if "sites" in adapter:
            depth = BACKBONES[backbone].depth
            adapter["sites"] = canonical_sites(adapter["sites"], depth)
        identity = {
            "system": self.system,
            "backbone": backbone,
            "adapter": adapter,
            "trained": sorted(self.trained),
            "encoder_weights": self.encoder_weights,
        }
        return identity | ({"match": self.match.model_dump()} if self.match else {})

    def columns(self) -> dict[str, Cell]:
        """What sets this variant apart from others, by column of a table."""
        columns: dict[str, Cell] = {
            "adapter": self.adapter.kind,
            **self.adapter.columns(),
            "trained": self._trained_text(),
            "encoder_weights": self.encoder_weights,
        }
        if self.match and (field := self.match.field.rpartition(".")[2]) in columns:
            columns[field] = f"as {self.match.parameters}"
        return columns

    def describe(self) -> str:
        """One line."""
        random = ", over a random image encoder" if self.encoder_weights == "random" else ""
        return f"{self.adapter.describe()}{random}; trained: {self._trained_text()}"

    def _trained_text(self) -> str:
        return ", ".join(_PART_NAMES[part] for part in self.trained)


class CnnVariant(Frozen):
    """A convolutional network on a ResNet, all of it trained: a baseline of the paper's Table III.

    Attributes:
        system: What kind of model this is.
        label: The name that tables print; the variant's own name if not given.
        architecture: Which network; it decides the ResNet, see ``ARCHITECTURES``.
        auxiliary_weight: What the loss of an auxiliary head on the third stage of the ResNet
            counts for in training; None: there is no such head.
    """

    backbone: ClassVar[None] = None
    is_trained: ClassVar[bool] = True

    system: Literal["cnn"]
    label: str | None = None
    architecture: ArchitectureName
    auxiliary_weight: float | None = Field(default=None, gt=0)

    @property
    def resnet(self) -> ResNetName:
        """The encoder."""
        return ARCHITECTURES[self.architecture].resnet

    def identity(self, default_backbone: BackboneName) -> dict[str, Any]:
        """What decides the function that is trained; SAM's backbone has no part in it."""
        return self.model_dump(mode="json", exclude={"label"})

    def columns(self) -> dict[str, Cell]:
        """What sets this variant apart from others, by column of a table."""
        return {
            "architecture": ARCHITECTURES[self.architecture].label,
            "auxiliary_weight": self.auxiliary_weight,
        }

    def describe(self) -> str:
        """One line."""
        auxiliary = ", with an auxiliary head" if self.auxiliary_weight is not None else ""
        name, resnet = ARCHITECTURES[self.architecture].label, RESNETS[self.resnet].label
        return f"{name} on {resnet}{auxiliary}, all of it trained"


class InteriorPoints(Frozen):
    """One positive point prompt inside each region of the ground truth.

    Attributes:
        kind: The discriminator.
    """

    kind: Literal["interior-points"]

    def describe(self) -> str:
        """One line."""
        return "one point inside each region of the ground truth"


class Everything(Frozen):
    """SAM's automatic mask generator; the ground truth then says which of its masks are positive.

    A mask counts as positive if most of its pixels are: what a perfect classifier of SAM's masks
    would reach, an oracle upper bound.

    Attributes:
        kind: The discriminator.
        points_per_side: Points of the grid along a side of the image; 32 in SAM's own code.
        min_quality: Masks that SAM itself rates lower are dropped; 0.88 in SAM's own code.
        min_stability: Masks that change more with the threshold are dropped; 0.95 there.
    """

    kind: Literal["everything"]
    points_per_side: int = Field(default=32, ge=1, le=MAX_POINTS_PER_SIDE)
    min_quality: float = Field(default=0.88, ge=0, le=1)
    min_stability: float = Field(default=0.95, ge=0, le=1)

    def describe(self) -> str:
        """One line."""
        return (
            f"all masks of a grid of {self.points_per_side} × {self.points_per_side} points, "
            "classified from ground truth (oracle upper bound)"
        )


Prompts = Annotated[InteriorPoints | Everything, Field(discriminator="kind")]


class ZeroShotVariant(Frozen):
    """Unadapted SAM (zero-shot), evaluated and not trained (the paper's Fig. 10).

    Attributes:
        system: What kind of model this is.
        label: The name that tables print; the variant's own name if not given.
        backbone: The image encoder; None: the protocol's.
        prompts: How SAM is prompted; it uses the ground truth, and labels should say so.
    """

    is_trained: ClassVar[bool] = False

    system: Literal["sam-zero-shot"]
    label: str | None = None
    backbone: BackboneName | None = None
    prompts: Prompts

    def identity(self, default_backbone: BackboneName) -> dict[str, Any]:
        """What decides the masks: all but names, with defaults filled in."""
        return {
            "system": self.system,
            "backbone": self.backbone or default_backbone,
            "prompts": self.prompts.model_dump(mode="json"),
        }

    def columns(self) -> dict[str, Cell]:
        """What sets this variant apart from others, by column of a table."""
        return {"prompts": self.prompts.kind}

    def describe(self) -> str:
        """One line."""
        return f"unadapted SAM (zero-shot), prompted: {self.prompts.describe()}"


Variant = Annotated[SamVariant | CnnVariant | ZeroShotVariant, Field(discriminator="system")]


class AnyVariant(RootModel[Any]):
    """A variant of whatever system its document names."""

    model_config = ConfigDict(defer_build=True)

    root: Variant
