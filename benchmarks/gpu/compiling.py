"""What ``compile: true`` of a protocol saves: a training step of TransLandSeg, batch 2, 1024x1024.

The first step compiles. *Worth it after*: so many steps until that time is saved.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partialmethod
from unittest import mock

import torch
from torch import nn

from ablate.models.compiling import compile_blocks
from ablate.models.devices import computing_in
from ablate.spec import BACKBONES, BackboneName, Precision
from benchmarks.gpu.part import Part, measured, run
from benchmarks.gpu.steps import Style, a_step
from benchmarks.limit import seconds

CASES: tuple[tuple[BackboneName, Precision], ...] = (
    ("vit_b", "bfloat16"),
    ("vit_l", "bfloat16"),
    ("vit_b", "tf32"),
    ("vit_b", "float32"),
)
_MEASURED = ("median ms", "range ms", "peak GB", "first step, s", "worth it after")


def compiled_step(
    part: Part, style: Style, backbone: BackboneName, first: list[float]
) -> Callable[[], None]:
    """A step that is compiled already; ``first`` gets the seconds of that."""
    step = a_step(style, backbone, 2, part.device, prepare=compile_blocks)
    first.append(seconds(step, part.device))
    return step


def without_code() -> AbstractContextManager[object]:
    """Meanwhile graphs are captured and run as they are: a C++ compiler takes minutes."""
    captured = partialmethod(nn.Module.compile, backend="eager")
    return mock.patch.object(nn.Module, "compile", captured)


def compare(part: Part, backbone: BackboneName, precision: Precision, rounds: int) -> None:
    """Says a row uncompiled, then one compiled."""
    style, first, plain_s = Style("", False, precision), list[float](), None
    ways = {
        "no": lambda: a_step(style, backbone, 2, part.device),
        "yes": lambda: compiled_step(part, style, backbone, first),
    }
    for is_compiled, make in ways.items():
        hushed = without_code() if part.tiny else nullcontext()
        with computing_in(torch.device(part.device), precision), hushed:
            found = measured(make, part.device, rounds)
        cells = {
            "backbone": BACKBONES[backbone].label,
            "precision": precision,
            "compiled": is_compiled,
        }
        if isinstance(found, str):
            part.row({**cells, **dict.fromkeys(_MEASURED), "range ms": found})
            continue
        worth = None
        if is_compiled == "no":
            plain_s = found.median_s
        elif plain_s and plain_s > found.median_s:
            worth = first[0] / (plain_s - found.median_s)
        values = (
            1e3 * found.median_s,
            found.range_ms,
            found.peak_gb,
            first[0] if first else None,
            worth,
        )
        part.row(cells | dict(zip(_MEASURED, values, strict=True)))


def measure(part: Part) -> None:
    """Says a row for each backbone and precision."""
    for backbone, precision in (("vit_nano", "float32"),) if part.tiny else CASES:
        compare(part, backbone, precision, 2 if part.tiny else 10)


if __name__ == "__main__":
    run(measure)
