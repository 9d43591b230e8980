"""Ablation studies of adapters on a frozen Segment Anything Model."""

from importlib.metadata import version

__version__ = version("ablate")
