"""Sweeps with factors on disk."""

from collections.abc import Sequence
from pathlib import Path

from ablate.registry import Catalogue
from ablate.spec import Protocol, Sweep, Variant
from report.sweep_on_disk import SweepOnDisk


class FactorsOnDisk(SweepOnDisk):
    """A sweep with factors, whose rows are the catalogue's."""

    own: Sweep

    @property
    def sweep(self) -> Sweep:
        return self.own


def on_disk(root: Path, protocol: Protocol, name: str, seeds: Sequence[int]) -> FactorsOnDisk:
    rows: dict[str, Variant] = Catalogue().rows(name, "vit_nano")
    made = FactorsOnDisk(root, protocol, names=tuple(rows), seeds=seeds, variants=rows)
    made.own = Catalogue().sweep(name)
    return made
