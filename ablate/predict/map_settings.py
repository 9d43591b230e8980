"""How maps are made."""

from dataclasses import dataclass, replace
from typing import Literal

from ablate.errors import BadInput


@dataclass(frozen=True)
class MapSettings:
    """How maps are made.

    Attributes:
        resolution_m: The ground resolution that rasters are resampled to, in metres, or
            ``training``: that of the training images at the model's size; None: their own.
        overlap_percent: How much neighbouring windows share, of a window's side.
        polygons: Whether rasters get polygons.
        min_area: The smallest polygon: in m², or in pixels where these have no size in metres.
        simplify_px: How far an outline may move, in pixels.
    """

    resolution_m: float | Literal["training"] | None = None
    overlap_percent: int = 25
    polygons: bool = True
    min_area: float = 0.0
    simplify_px: float = 1.0

    def for_training_at(self, ground_m: float | None) -> "MapSettings":
        """The same, with metres in place of ``training``.

        Args:
            ground_m: The ground resolution of the training images at the model's size; None: it is
                not known.

        Raises:
            BadInput: If it is needed and not known.
        """
        if self.resolution_m != "training":
            return self
        if ground_m is None:
            raise BadInput(
                "the ground resolution of the training images is not known, so that rasters cannot "
                "be resampled to it",
                "give metres, such as --resolution 0.8",
            )
        return replace(self, resolution_m=ground_m)

    @property
    def grid_m(self) -> float | None:
        """Metres that a pixel of the maps is wide; None: as wide as one of the raster."""
        assert self.resolution_m != "training"
        return self.resolution_m

    def check(self) -> None:
        """Refuses what makes no map.

        Raises:
            BadInput: If a value is out of range.
        """
        if self.grid_m is not None and not 0 < self.grid_m < 1e6:
            raise BadInput(
                f"a ground resolution of {self.grid_m:g} m is out of range",
                "give metres, such as 0.8",
            )
        if not 0 <= self.overlap_percent <= 45:
            raise BadInput(
                f"an overlap of {self.overlap_percent} percent is out of range", "give 0 to 45"
            )
        for name, value in (("area", self.min_area), ("tolerance", self.simplify_px)):
            if not 0 <= value < 1e12:
                raise BadInput(f"the {name} {value:g} is out of range", "give 0 or more")
