"""What an adapter looks like inside, in plain numbers: no model is built for it."""

from ablate.spec.adapter import Adapter, AtlAdapter, AtlReleasedAdapter, NoAdapter
from ablate.spec.backbone import PATCH_SIZE_PX, Backbone
from ablate.spec.layer import Layer, conv, linear, norm


def layers(adapter: Adapter, backbone: Backbone) -> list[Layer]:
    """The layers that each site has for itself, from its input to its output (Fig. 2a)."""
    match adapter:
        case AtlAdapter():
            return _atl_layers(adapter, backbone)
        case AtlReleasedAdapter():
            return _released_layers(adapter, backbone)
        case NoAdapter():
            return []


def shared_layers(adapter: Adapter, backbone: Backbone) -> list[Layer]:
    """The layers that all sites have in common: none but in the released reading."""
    if not isinstance(adapter, AtlReleasedAdapter):
        return []
    wide, d, patch = backbone.width, adapter.width, PATCH_SIZE_PX
    return [
        Layer("L_down", "Linear", f"{wide} → {d}", linear(wide, d)),
        Layer(
            "high frequencies",
            f"FFT, Conv {patch}×{patch} stride {patch}",
            f"3 → {d}",
            conv(3, d, patch, has_bias=True),
        ),
        *([] if "c" in adapter.midlays else [_up(wide, d)]),
    ]


def site_count(adapter: Adapter, backbone: Backbone) -> int:
    """How many places of the encoder the adapter changes."""
    if adapter.kind == "none":
        return 0
    return backbone.depth - (adapter.columns()["sites"] == "between")


def _atl_layers(adapter: AtlAdapter, backbone: Backbone) -> list[Layer]:
    wide, d, k = backbone.width, adapter.width, adapter.kernel_size
    midlay = {
        "m": _linear_midlay(d),
        "c": _conv_midlay(f"Conv {k}×{k}", d, d, conv(d, d, k, has_bias=True)),
    }
    return [
        Layer("L_down", "Linear", f"{wide} → {d}", linear(wide, d)),
        *(midlay[name] for name in adapter.midlays),
        _up(wide, d),
    ]


def _released_layers(adapter: AtlReleasedAdapter, backbone: Backbone) -> list[Layer]:
    wide, d = backbone.width, adapter.width
    if "c" not in adapter.midlays:
        return [_linear_midlay(d) for _ in adapter.midlays]
    return [
        _conv_midlay("Conv 1×1", d, d, linear(d, d)),
        _conv_midlay("depthwise Conv 3×3", d, d, 9 * d),
        _conv_midlay("Conv 1×1", d, wide, linear(d, wide)),
    ]


def _linear_midlay(d: int) -> Layer:
    return Layer("MidLay m", "Linear, GELU", f"{d} → {d}", linear(d, d))


def _conv_midlay(convolution: str, channels_in: int, channels_out: int, parameters: int) -> Layer:
    """The convolution's parameters are given, the LayerNorm's are added."""
    return Layer(
        "MidLay c",
        f"{convolution}, LayerNorm, GELU",
        f"{channels_in} → {channels_out}",
        parameters + norm(channels_out),
    )


def _up(wide: int, d: int) -> Layer:
    return Layer("L_up", "Linear", f"{d} → {wide}", linear(d, wide))
