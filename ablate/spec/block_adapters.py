"""Adapters of the literature that sit in transformer blocks: AdaptFormer, SSF, bottlenecks."""

from typing import Any, Literal

from pydantic import Field

from ablate.spec.frozen import Cell, Frozen
from ablate.spec.sites import Sites, sites_phrase, sites_text

# Wider than any encoder by far; absurd values are refused before memory runs out.
MAX_WIDTH = 65_536


class _InBlocks(Frozen):
    """What adapters in transformer blocks share."""

    sites: Sites = "all"

    def identity(self) -> dict[str, Any]:
        """What decides the function that is trained."""
        return self.model_dump(mode="json")

    def columns(self) -> dict[str, Cell]:
        """What sets this adapter apart from others of its kind, by column of a table."""
        columns = {name: getattr(self, name) for name in type(self).model_fields}
        del columns["kind"]
        return columns | {"sites": sites_text(self.sites)}


class AdaptFormerAdapter(_InBlocks):
    """A bottleneck beside the MLP of each block (Chen et al. 2022, AdaptFormer).

    out = MLP(LN(x)) + s·Up(ReLU(Down(LN(x)))) + x. Up starts at zero: SAM's function is kept at
    step 0.

    Attributes:
        kind: The discriminator.
        width: The bottleneck width; its authors have 64.
        scale: The factor s; its authors have 0.1.
        sites: ``all`` blocks of the image encoder, its ``late`` half, or a list of blocks, counted
            from 0.
    """

    kind: Literal["adaptformer"]
    width: int = Field(ge=1, le=MAX_WIDTH)
    scale: float = Field(default=0.1, gt=0, allow_inf_nan=False)

    def describe(self) -> str:
        """One line."""
        where = sites_phrase(self.sites)
        return f"AdaptFormer beside the MLP, width {self.width}, scale {self.scale:g}{where}"


class SsfAdapter(_InBlocks):
    """Features are scaled and shifted, channel by channel (Lian et al. 2022, SSF).

    After both LayerNorms, qkv, the attention's projection and both layers of the MLP. Factors start
    at one and shifts at zero (its authors' code draws both around these), so SAM's function is kept
    at step 0. They can be merged into SAM's weights.

    Attributes:
        kind: The discriminator.
        sites: ``all`` blocks of the image encoder, its ``late`` half, or a list of blocks, counted
            from 0.
    """

    kind: Literal["ssf"]

    def describe(self) -> str:
        """One line."""
        return f"SSF: scaled and shifted features{sites_phrase(self.sites)}"


class BottleneckAdapter(_InBlocks):
    """Two bottlenecks in each block: one for its attention, one for its MLP.

    A bottleneck is Up(GELU(Down(y))), added before the shortcut is. Up starts at zero: SAM's
    function is kept at step 0.

    Attributes:
        kind: The discriminator.
        width: The bottleneck width.
        arrangement: ``series``: each maps the output of its half of the block (Houlsby et al.
            2019). ``parallel``: each maps its input, as the LayerNorm leaves it (He et al. 2022).
            ``mixed``: in series after the attention, in parallel beside the MLP (as Wu et al. 2023
            in Medical SAM Adapter).
        sites: ``all`` blocks of the image encoder, its ``late`` half, or a list of blocks, counted
            from 0.
    """

    kind: Literal["bottleneck"]
    width: int = Field(ge=1, le=MAX_WIDTH)
    arrangement: Literal["series", "parallel", "mixed"] = "series"

    def identity(self) -> dict[str, Any]:
        """What decides the function that is trained; keys older than the field stay."""
        identity = super().identity()
        if self.arrangement == "series":
            del identity["arrangement"]
        return identity

    def describe(self) -> str:
        """One line."""
        places = {
            "series": "after attention and MLP",
            "parallel": "beside attention and MLP",
            "mixed": "after attention and beside MLP",
        }
        where = sites_phrase(self.sites)
        return f"bottlenecks {places[self.arrangement]}, width {self.width}{where}"
