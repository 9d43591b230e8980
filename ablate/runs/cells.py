"""The names of what is counted of an image."""

from typing import Literal, get_args

Cell = Literal["tp", "fp", "fn", "tn"]
MaskCount = Literal["boundary_both", "boundary_any", "small_found", "small_all"]
PixelCount = Literal[Cell, MaskCount]

CELLS: tuple[Cell, ...] = get_args(Cell)
"""The columns of counts, in their order."""

# Both of a kind are there, or neither is; the boundaries come first.
_BOUNDARIES: tuple[MaskCount, ...] = ("boundary_both", "boundary_any")
_SMALL_OBJECTS: tuple[MaskCount, ...] = ("small_found", "small_all")
MASK_COUNTS: tuple[tuple[MaskCount, ...], ...] = (
    (),
    _BOUNDARIES,
    _SMALL_OBJECTS,
    (*_BOUNDARIES, *_SMALL_OBJECTS),
)
"""What may be counted besides, in the order of the columns."""
