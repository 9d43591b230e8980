"""Files of weights, loaded safely (no pickled code)."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ablate.errors import WeightsError

_NAMES_SHOWN = 3

Shapes = Mapping[str, tuple[int, ...]]


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shapes of named tensors."""
    return {name: tuple(value.shape) for name, value in tensors.items()}


def gaps_between(found: Shapes, expected: Shapes) -> str:
    """Where names and shapes are not the expected ones; empty if all of them are."""
    gaps = {
        "missing": expected.keys() - found.keys(),
        "unexpected": found.keys() - expected.keys(),
        "misshapen": {
            f"{name} {found[name]} for {expected[name]}"
            for name in found.keys() & expected.keys()
            if found[name] != expected[name]
        },
    }
    return "; ".join(f"{what}: {_some(names)}" for what, names in gaps.items() if names)


def _some(names: Iterable[str]) -> str:
    """The first few names in order and, where there are more, their number."""
    ordered = sorted(names)
    shown = ", ".join(ordered[:_NAMES_SHOWN])
    return f"{shown}, … ({len(ordered)})" if len(ordered) > _NAMES_SHOWN else shown


def read_tensors(checkpoint: Path, official: str) -> dict[str, Tensor]:
    """Reads a file of tensors without ever running code from it.

    Args:
        checkpoint: The file.
        official: The name of the expected file, for the repair.

    Returns:
        The tensors by name, on the CPU; files in torch's zip format are mapped, not read, until
        used.

    Raises:
        WeightsError: If the file is missing, cut short, a web page, or holds anything but named
            tensors.
    """
    repair = f"download {official} again"
    if not checkpoint.is_file():
        raise WeightsError(f"there is no file {checkpoint}", f"give the path of {official}")
    with checkpoint.open("rb") as file:
        start = file.read(512).lstrip()
    if start.startswith(b"<"):
        raise WeightsError(f"{checkpoint} is a web page, not a checkpoint", repair)
    whole = zipfile.is_zipfile(checkpoint)
    if start.startswith(b"PK") and not whole:
        size = checkpoint.stat().st_size
        raise WeightsError(f"{checkpoint} is cut short, at {size} bytes", repair)
    try:
        # Only the zip format can be mapped into memory.
        content: Any = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=whole)
    except Exception as error:  # Unpickling foreign bytes can raise nearly anything.
        raise WeightsError(
            f"{checkpoint} is not a checkpoint of plain tensors (pickled code is never run)",
            repair,
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise WeightsError(
            f"{checkpoint} holds something else than a state dict of tensors",
            f"give the path of {official}, or extract the state dict",
        )
    return content
