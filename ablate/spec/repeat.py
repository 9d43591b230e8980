"""A repeat: one training of every row, on one split with one seed."""

from collections.abc import Iterable
from typing import NamedTuple


class Repeat(NamedTuple):
    """What rows are paired by.

    Attributes:
        split: The number of the split; 0 is the protocol's own.
        seed: The seed.
    """

    split: int
    seed: int


def repeats_text(repeats: Iterable[Repeat]) -> str:
    """``seed 0, 1``; with splits besides the protocol's own ``split 0: seed 0, 1; split 1: …``."""
    seeds: dict[int, list[str]] = {}
    for split, seed in sorted(repeats):
        seeds.setdefault(split, []).append(str(seed))
    listed = {split: f"seed {', '.join(each)}" for split, each in seeds.items()}
    if set(listed) <= {0}:
        return "".join(listed.values())
    return "; ".join(f"split {split}: {each}" for split, each in listed.items())
