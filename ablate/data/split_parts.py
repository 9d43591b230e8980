"""The parts of a split."""

from collections.abc import Sequence
from typing import NamedTuple


class Parts(NamedTuple):
    """A split, as positions in the data set.

    Attributes:
        train: The training images.
        validation: The images that select an epoch, and that are scored.
        test: The images that are scored once, at the end; empty where there are none.
    """

    train: Sequence[int]
    validation: Sequence[int]
    test: Sequence[int] = ()
