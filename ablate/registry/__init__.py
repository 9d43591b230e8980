"""Reads the catalogue of variants, sweeps and protocols."""

from ablate.registry.places import shipped

__all__ = ["shipped"]
