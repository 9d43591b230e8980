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
from benchmarks.gpu.part import Measured, Part, measured, run
from benchmarks.gpu.steps import Style, a_step
from benchmarks.limit import seconds

CASES: tuple[tuple[BackboneName, Precision], ...] = (
    ("vit_b", "bfloat16"),
    ("vit_l", "bfloat16"),
    ("vit_b", "tf32"),
    ("vit_b", "float32"),
)


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
    """Says a row: uncompiled, then compiled."""
    style, first = Style("", False, precision), list[float]()
    hushed = without_code() if part.tiny else nullcontext()
    with computing_in(torch.device(part.device), precision), hushed:
        plain = measured(lambda: a_step(style, backbone, 2, part.device), part.device, rounds)
        compiled = measured(
            lambda: compiled_step(part, style, backbone, first), part.device, rounds
        )
    saved_s = None
    if isinstance(plain, Measured) and isinstance(compiled, Measured):
        saved_s = plain.median_s - compiled.median_s
    cells: dict[str, str | float | None] = {
        "backbone": BACKBONES[backbone].label,
        "precision": precision,
    }
    for name, found in (("plain", plain), ("compiled", compiled)):
        is_there = isinstance(found, Measured)
        cells[f"{name} ms"] = 1e3 * found.median_s if is_there else found
        cells[f"{name} GB"] = found.peak_gb if is_there else None
    cells["first step, s"] = first[0] if first else None
    cells["worth it after"] = first[0] / saved_s if saved_s and saved_s > 0 else None
    part.row(cells)


def measure(part: Part) -> None:
    """Says a row for each backbone and precision."""
    for backbone, precision in (("vit_nano", "float32"),) if part.tiny else CASES:
        compare(part, backbone, precision, 2 if part.tiny else 10)


if __name__ == "__main__":
    run(measure)
