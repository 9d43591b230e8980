"""Procedural landslide scenes as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ablate.spec import GeneratedData, digest_of

if TYPE_CHECKING:
    from ablate.data.images import Image, Images, Mask

GENERATOR_VERSION: int = 1
"""Raised whenever the same ``(seed, index, size_px)`` gives other pixels; part of the digest."""


class GeneratedImages:
    """Scenes that a seed decides; none is kept.

    Args:
        data: The recipe.
    """

    label = "generated data"

    def __init__(self, data: GeneratedData) -> None:
        """Makes no scene yet."""
        self._data = data
        width = len(str(data.count - 1))
        self.names = tuple(f"scene-{index:0{width}d}" for index in range(data.count))

    def load(self, index: int) -> tuple[Image, Mask]:
        """Makes the image with shape HxWx3 (RGB) and the mask with shape HxW."""
        # Imported here: SciPy takes longer to import than a plan to make.
        from ablate.data.generated import scene

        return scene(self._data.seed, index, self._data.size_px)

    def digest(self) -> str:
        """SHA-256 (64 hex digits) over the recipe, the generator's version included."""
        return digest_of(self._data.model_dump(mode="json") | {"version": GENERATOR_VERSION})


def open_generated(data: GeneratedData, root: Path | None, digests: Path | None) -> Images:
    """Opens the scenes; ``root`` and ``digests`` are not used."""
    return GeneratedImages(data)
