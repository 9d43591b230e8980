"""What a variant looks like inside, in plain numbers: no model is built for it."""

from dataclasses import dataclass
from itertools import groupby

from ablate.spec.backbone import Backbone
from ablate.spec.variant import Adapter, AtlAdapter


@dataclass(frozen=True)
class Layer:
    """One layer of an adapter.

    Attributes:
        name: What the paper calls it.
        module: What it is made of.
        shape: Channels in → channels out.
        parameters: How many it has.
    """

    name: str
    module: str
    shape: str
    parameters: int


def layers(adapter: AtlAdapter, backbone: Backbone) -> list[Layer]:
    """The layers of one ATL, from its input to its output (Fig. 2a)."""
    wide, d, k = backbone.width, adapter.width, adapter.kernel_size
    square = f"{d} → {d}"
    midlay = {
        "m": Layer("MidLay m", "Linear, GELU", square, d * d + d),
        "c": Layer("MidLay c", f"Conv {k}×{k}, LayerNorm, GELU", square, d * d * k * k + d + 2 * d),
    }
    return [
        Layer("L_down", "Linear", f"{wide} → {d}", wide * d + d),
        *(midlay[name] for name in adapter.midlays),
        Layer("L_up", "Linear", f"{d} → {wide}", d * wide + wide),
    ]


def midlay_text(adapter: Adapter) -> str:
    """The paper's notation for a row of MidLays: ``m×2 + c×3``; a dash without an ATL."""
    if adapter.kind == "none":
        return "—"
    return " + ".join(f"{name}×{len(list(run))}" for name, run in groupby(adapter.midlays))
