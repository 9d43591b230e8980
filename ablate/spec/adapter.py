"""Adapters: what is inserted into a frozen SAM, and where.

An adapter describes itself: ``identity``, ``columns`` and ``describe`` are all that other rooms
know of it, besides the builder in ``ablate.models``.
"""

from itertools import groupby
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    Discriminator,
    Field,
    WrapSerializer,
    WrapValidator,
    field_validator,
    model_validator,
)

from ablate.spec.block_adapters import (
    MAX_WIDTH,
    AdaptFormerAdapter,
    BottleneckAdapter,
    SsfAdapter,
)
from ablate.spec.frozen import Cell, Frozen
from ablate.spec.own_adapter import dumped, own_or
from ablate.spec.peft_adapter import PeftAdapter
from ablate.spec.sites import Blocks, OneMessage, sites_phrase, sites_text

MidLay = Literal["m", "c"]
# The side of the largest map: 4096 px in patches of 16.
MAX_KERNEL_SIZE = 255
MAX_MIDLAYS = 32

_RELEASED_MIDLAYS: tuple[tuple[MidLay, ...], ...] = (("m",), ("m", "m"), ("c", "c", "c"))


def _midlay_text(midlays: tuple[MidLay, ...]) -> str:
    """The paper's notation for a row of MidLays: ``m×2 + c×3``."""
    return " + ".join(f"{name}×{len(list(run))}" for name, run in groupby(midlays))


def _refuse_norm_over_one_channel(midlays: tuple[MidLay, ...], width: int) -> None:
    if "c" in midlays and width == 1:
        raise ValueError("a LayerNorm over 1 channel is constant; MidLay c needs width 2 or more")


class AtlAdapter(Frozen):
    """The adaptive transfer learning layer as the paper writes it (Eqs. 5-15).

    Θ(X) = L_up(MidLays(L_down(X))); Ω(X) = Θ(X) + X with the residual connection.

    Attributes:
        kind: The discriminator.
        midlays: The layers between the two projections, in order: ``m`` is Linear + GELU,
            ``c`` is convolution + LayerNorm + GELU (Fig. 2).
        placement: ``outside``: before each transformer block (Eqs. 6, 7, 14);
            ``inside``: between its attention and its MLP (Eqs. 11-13, 15).
        residual: Whether the input is added to the output (Eq. 5).
        width: The bottleneck width d.
        kernel_size: Side of MidLay c's convolution, in tokens; odd.
        up_init: ``zero`` keeps SAM's function at step 0, ``default`` is PyTorch's; None means
            ``zero`` with the residual connection and ``default`` without.
        sites: ``all``: every block has an ATL, the first included (Eq. 6); ``between``: the
            first has none, as "between each Transformer block" can be read. Inside a block
            there is nothing to stand between, so ``between`` goes with ``outside`` alone.
            ``late``: the second half of the blocks; or a list of blocks, counted from 0.
    """

    kind: Literal["atl"]
    midlays: tuple[MidLay, ...] = Field(min_length=1, max_length=MAX_MIDLAYS)
    placement: Literal["outside", "inside"]
    residual: bool
    width: int = Field(ge=1, le=MAX_WIDTH)
    kernel_size: int = Field(default=3, ge=1, le=MAX_KERNEL_SIZE)
    up_init: Literal["zero", "default"] | None = None
    sites: Annotated[Literal["all", "between", "late"] | Blocks, OneMessage] = "all"

    @field_validator("kernel_size")
    @classmethod
    def _kernel_is_odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"{size} is even; an odd side keeps the size of the map")
        return size

    @model_validator(mode="after")
    def _convolution_is_wide_enough(self) -> "AtlAdapter":
        _refuse_norm_over_one_channel(self.midlays, self.width)
        return self

    @model_validator(mode="after")
    def _sites_exist(self) -> "AtlAdapter":
        if self.sites == "between" and self.placement == "inside":
            raise ValueError(
                "sites between leaves out what stands before the first block, and nothing does "
                "with placement inside; give sites all, or placement outside"
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

    def columns(self) -> dict[str, Cell]:
        """What sets this adapter apart from others of its kind, by column of a table."""
        return {
            "midlays": _midlay_text(self.midlays),
            "residual": self.residual,
            "placement": self.placement,
            "width": self.width,
            "kernel_size": self.kernel_size if "c" in self.midlays else None,
            "up_init": self.effective_up_init,
            "sites": sites_text(self.sites),
        }

    def describe(self) -> str:
        """One line."""
        residual = "with" if self.residual else "without"
        where = sites_phrase(self.sites)
        if self.sites == "between":
            where = ", none before the first block"
        return (
            f"MidLay {_midlay_text(self.midlays)}, {self.placement} the transformer blocks{where}, "
            f"{residual} residual connection, d = {self.width}"
        )


class AtlReleasedAdapter(Frozen):
    """The adapter that the authors' public code trains, which is not that of the equations.

    The patch embedding (before positions are added) and the image's high frequencies are brought
    to ``width`` channels once; from this one feature each block gets a prompt through MidLays
    of its own, and the prompt is added to the stream before the block. The two projections are
    shared by all blocks.

    Attributes:
        kind: The discriminator.
        midlays: The layers of each block's own: ``m`` or ``m m`` (Linear + GELU each), or
            ``c c c``: 1x1, depthwise 3x3 and 1x1 convolution, each with LayerNorm and GELU;
            the last one widens to M channels, and no shared up-projection follows.
        width: The bottleneck width d; the public code has 1024/32.
    """

    kind: Literal["atl-released"]
    midlays: tuple[MidLay, ...]
    width: int = Field(default=32, ge=1, le=MAX_WIDTH)

    @field_validator("midlays")
    @classmethod
    def _midlays_are_released(cls, midlays: tuple[MidLay, ...]) -> tuple[MidLay, ...]:
        if midlays not in _RELEASED_MIDLAYS:
            raise ValueError(
                f"[{', '.join(midlays)}] is not in the public code; give [m], [m, m] or [c, c, c]"
            )
        return midlays

    @model_validator(mode="after")
    def _convolution_is_wide_enough(self) -> "AtlReleasedAdapter":
        _refuse_norm_over_one_channel(self.midlays, self.width)
        return self

    def identity(self) -> dict[str, Any]:
        """What decides the function that is trained."""
        return self.model_dump(mode="json")

    def columns(self) -> dict[str, Cell]:
        """As ``AtlAdapter.columns``: a prompt is added to the stream before every block."""
        return {
            "midlays": _midlay_text(self.midlays),
            "residual": True,
            "placement": "outside",
            "width": self.width,
            "sites": "all",
        }

    def describe(self) -> str:
        """One line."""
        return f"prompts as released, MidLay {_midlay_text(self.midlays)}, d = {self.width}"


class NoAdapter(Frozen):
    """No adapter: only the mask decoder is trained.

    Attributes:
        kind: The discriminator.
    """

    kind: Literal["none"]

    def identity(self) -> dict[str, Any]:
        """What decides the function that is trained."""
        return self.model_dump(mode="json")

    def columns(self) -> dict[str, Cell]:
        """No columns: there is nothing to set apart."""
        return {}

    def describe(self) -> str:
        """One line."""
        return "no adapter"


_BuiltIn = (
    AtlAdapter
    | AtlReleasedAdapter
    | PeftAdapter
    | AdaptFormerAdapter
    | SsfAdapter
    | BottleneckAdapter
    | NoAdapter
)
_KINDS = frozenset(
    kind for each in get_args(_BuiltIn) for kind in get_args(each.model_fields["kind"].annotation)
)
# Kinds that are none of these are looked for in installed packages.
Adapter = Annotated[
    _BuiltIn,
    Discriminator("kind"),
    WrapValidator(own_or(_KINDS)),
    WrapSerializer(dumped),
]
