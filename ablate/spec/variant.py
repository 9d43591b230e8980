"""A variant: one row of an ablation table."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ablate.spec.backbone import BackboneName
from ablate.spec.base import Frozen

MidLay = Literal["m", "c"]
Part = Literal["adapter", "mask_decoder"]


class AtlAdapter(Frozen):
    """The adaptive transfer learning layer as the paper writes it (Eqs. 5-15).

    Θ(X) = L_up(MidLays(L_down(X))); Ω(X) = Θ(X) + X with the residual connection.

    Attributes:
        midlays: The layers between the two projections, in order: ``m`` is Linear + GELU,
            ``c`` is convolution + LayerNorm + GELU (Fig. 2).
        placement: ``outside``: before each transformer block (Eqs. 6, 7, 14);
            ``inside``: between its attention and its MLP (Eqs. 11-13, 15).
        residual: Whether the input is added to the output (Eq. 5).
        width: The bottleneck width d.
        kernel_size: Side of MidLay c's convolution, in tokens; odd.
        up_init: ``zero`` keeps SAM's function at step 0, ``default`` is PyTorch's; None means
            ``zero`` with the residual connection and ``default`` without.
    """

    kind: Literal["atl"]
    midlays: tuple[MidLay, ...] = Field(min_length=1)
    placement: Literal["outside", "inside"]
    residual: bool
    width: int = Field(ge=1)
    kernel_size: int = Field(default=3, ge=1)
    up_init: Literal["zero", "default"] | None = None

    @field_validator("kernel_size")
    @classmethod
    def _kernel_is_odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"{size} is even; an odd side keeps the size of the map")
        return size

    @model_validator(mode="after")
    def _convolution_is_wide_enough(self) -> "AtlAdapter":
        if "c" in self.midlays and self.width == 1:
            raise ValueError(
                "a LayerNorm over 1 channel is constant; MidLay c needs width 2 or more"
            )
        return self

    @property
    def effective_up_init(self) -> Literal["zero", "default"]:
        """How the up-projection really starts."""
        return self.up_init or ("zero" if self.residual else "default")

    def identity(self) -> dict[str, Any]:
        """What decides the function that is trained; two spellings of one adapter agree."""
        identity = self.model_dump(mode="json") | {"up_init": self.effective_up_init}
        if "c" not in self.midlays:
            del identity["kernel_size"]
        return identity


class NoAdapter(Frozen):
    """No adapter at all: only the mask decoder learns."""

    kind: Literal["none"]

    def identity(self) -> dict[str, Any]:
        """What decides the function that is trained."""
        return self.model_dump(mode="json")


Adapter = Annotated[AtlAdapter | NoAdapter, Field(discriminator="kind")]


class SamVariant(Frozen):
    """SAM with an adapter, decoded without prompts.

    Attributes:
        system: What kind of model this is.
        label: The name that tables print; the variant's own name if not given.
        backbone: The image encoder; None: the protocol's.
        adapter: What is inserted into the frozen encoder.
        trained: The parts that learn; everything else is frozen.
    """

    system: Literal["sam"]
    label: str | None = None
    backbone: BackboneName | None = None
    adapter: Adapter
    trained: tuple[Part, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _trained_parts_exist(self) -> "SamVariant":
        if len(set(self.trained)) != len(self.trained):
            raise ValueError("trained names a part twice")
        if self.adapter.kind == "none" and "adapter" in self.trained:
            raise ValueError("trained names the adapter, but adapter.kind is none")
        if self.adapter.kind != "none" and "adapter" not in self.trained:
            raise ValueError("an adapter that is not in trained stays random and ablates nothing")
        return self

    def identity(self, default_backbone: BackboneName) -> dict[str, Any]:
        """What decides the function that is trained: all but names, with defaults filled in."""
        return {
            "system": self.system,
            "backbone": self.backbone or default_backbone,
            "adapter": self.adapter.identity(),
            "trained": sorted(self.trained),
        }


# A later system (the rivals of Table III, SAM without training) joins this union.
Variant = SamVariant
