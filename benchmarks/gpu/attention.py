"""Exact attention for SAM's encoder: which way is fastest, forward and backward, at 1024x1024.

First the attention of one image alone, of a global block and of one with windows; then a training
step of the whole encoder, batch 2, with SAM's own, with ablate's and with the fastest of each kind,
as a share of what one large matrix product in the same precision reaches just before (``limit.py``
counts the work that is needed). Error: the largest distance of output and gradients from float64,
by norm, of two heads. *Equal*: not more than twice the error of SAM's own code in the same
precision, or 1e-5.
"""

from collections.abc import Callable
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor

from ablate.models.devices import computing_in
from ablate.spec import BACKBONES, PATCH_SIZE_PX, BackboneName, Precision
from benchmarks.gpu.contenders import CONTENDERS, FLEX, OURS, SAMS, Attend, sams_own
from benchmarks.gpu.part import Cell, Measured, Part, measured, run
from benchmarks.limit import encoder_pass, needed_gflop, product, seconds

KINDS = ("global", "windows")
_ALONE = ("median ms", "range ms", "times SAM's", "added GB", "error", "equal")
_WHOLE = ("median ms", "range ms", "peak GB", "needed TFLOP/s", "of a product's")
_HEADS = 2
_SMALLEST_TOLERANCE = 1e-5
_FACTOR = 2.0


# The attention alone ------------------------------------------------------------------------------


def inputs(backbone: BackboneName, kind: str, device: str, dtype: torch.dtype) -> list[Tensor]:
    """q, k, v, rel_h and rel_w of one image, as far apart as a trained SAM's."""
    geometry = BACKBONES[backbone]
    side = geometry.image_size_px // PATCH_SIZE_PX
    images = 1
    if kind == "windows":
        images, side = (-(-side // geometry.window)) ** 2, geometry.window
    channels = geometry.width // geometry.heads
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(images, geometry.heads, side * side, width, generator=generator)
        .to(device, dtype)
        .requires_grad_()
        for width in (channels, channels, channels, side, side)
    ]


def differentiated(attend: Attend, given: list[Tensor], half: bool) -> list[Tensor]:
    """The output, BxNxAxC, and the gradients of all inputs."""
    device = given[0].device.type
    with torch.autocast(device, torch.bfloat16, enabled=half):
        out = attend(given[0].shape[-1] ** -0.5, *given)
    return [out, *torch.autograd.grad(out, given, torch.ones_like(out))]


def error(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest distance of some heads from float64, relative to the norm; nan stays nan."""
    pairs = [(found[0][:, :, :_HEADS], expected[0])]
    pairs += [(a[:, :_HEADS], b) for a, b in zip(found[1:], expected[1:], strict=True)]
    apart = [((a.double() - b).norm() / b.norm()).item() for a, b in pairs]
    return max(apart, key=lambda each: float("inf") if each != each else each)


def compare(
    part: Part, backbone: BackboneName, kind: str, precision: Precision, rounds: int
) -> dict[str, float]:
    """Says a row for each contender; returns the times of those that are equal."""
    half = precision == "bfloat16"
    given = inputs(backbone, kind, part.device, torch.bfloat16 if half else torch.float32)
    few = [each.detach()[:, :_HEADS].double().requires_grad_() for each in given]
    expected = [each.detach() for each in differentiated(sams_own, few, False)]
    # With the same rounding, of the same heads alone: all of SAM's own scores may not fit.
    rounded = [each.detach()[:, :_HEADS].requires_grad_() for each in given]
    tolerance = error(differentiated(sams_own, rounded, half), expected)
    tolerance = max(_FACTOR * tolerance, _SMALLEST_TOLERANCE)
    equal: dict[str, float] = {}
    first: Measured | None = None
    for name, attend in CONTENDERS.items():

        def make(attend: Attend = attend) -> Callable[[], object]:
            return lambda: differentiated(attend, given, half)

        # Compiling takes half a minute for each shape.
        late = name == FLEX and part.left_s < part.limit_s / 2
        found = "no time left" if late else measured(make, part.device, rounds)
        cells: dict[str, Cell] = {
            "backbone": BACKBONES[backbone].label,
            "attention": kind,
            "precision": precision,
            "way": name,
        }
        if isinstance(found, str):
            part.row({**cells, **dict.fromkeys(_ALONE), "equal": found})
            continue
        if name == SAMS:
            first = found
        apart = error(differentiated(attend, given, half), expected)
        if apart <= tolerance:
            equal[name] = found.median_s
        values = (
            1e3 * found.median_s,
            found.range_ms,
            found.median_s / first.median_s if first else None,
            found.added_gb,
            apart,
            apart <= tolerance,
        )
        part.row(cells | dict(zip(_ALONE, values, strict=True)))
    return equal


# The whole encoder --------------------------------------------------------------------------------


@contextmanager
def attending(chosen: dict[str, str]):
    """Meanwhile ablate's attention is computed in the ways of these names, by kind."""

    def attend(scale: float, q: Tensor, *others: Tensor) -> Tensor:
        # Windows are many and small.
        kind = "global" if q.shape[-2] > 14 * 14 else "windows"
        return CONTENDERS[chosen[kind]](scale, q, *others)

    if set(chosen.values()) == {OURS}:
        yield
        return
    with mock.patch("ablate.models.attention._attend", attend):
        yield


def encoders(
    part: Part,
    backbone: BackboneName,
    fastest: dict[str, str],
    precision: Precision,
    rounds: int,
) -> None:
    """Says a row for the whole encoder in each way."""
    held: Precision = "bfloat16" if precision == "bfloat16" else "float32"
    batch, side = (1, 64) if part.tiny else (2, 8192)
    ways = {SAMS: None, OURS: dict.fromkeys(KINDS, OURS)}
    ways |= {f"global: {fastest['global']}; windows: {fastest['windows']}": fastest}
    reference = product(part.device, held, side)
    for name, chosen in ways.items():
        seconds(reference, part.device)
        rate = 2 * side**3 / seconds(reference, part.device) / 1e12

        def make(is_sams: bool = chosen is None) -> Callable[[], object]:
            return encoder_pass(backbone, part.device, held, batch, sams_attention=is_sams)

        with attending(chosen or dict.fromkeys(KINDS, OURS)):
            found = measured(make, part.device, rounds)
        cells: dict[str, Cell] = {
            "encoder": BACKBONES[backbone].label,
            "precision": precision,
            "batch": batch,
            "way": name,
        }
        if isinstance(found, str):
            part.row({**cells, **dict.fromkeys(_WHOLE), "range ms": found})
            continue
        reached = needed_gflop(backbone)[1] * batch / found.median_s / 1e3
        values = (
            1e3 * found.median_s,
            found.range_ms,
            found.peak_gb,
            reached,
            reached / rate,
        )
        part.row(cells | dict(zip(_WHOLE, values, strict=True)))


def measure(part: Part) -> None:
    """The most important first: bfloat16, and the paper's ViT-L."""
    backbones: tuple[BackboneName, ...] = ("vit_l", "vit_b", "vit_h")
    if part.tiny:
        backbones = ("vit_nano",)
    rounds = 2 if part.tiny else 10
    cases: list[tuple[BackboneName, Precision]] = [(each, "bfloat16") for each in backbones]
    cases += [(backbones[0], "float32"), (backbones[0], "tf32")]
    for backbone, precision in cases:
        with computing_in(torch.device(part.device), precision):
            fastest = {}
            for kind in KINDS:
                equal = compare(part, backbone, kind, precision, rounds)
                # At worst SAM's own is not measured, since it does not fit.
                fastest[kind] = min(equal, key=lambda name: equal[name]) if equal else OURS
            encoders(part, backbone, fastest, precision, rounds)


if __name__ == "__main__":
    run(measure)
