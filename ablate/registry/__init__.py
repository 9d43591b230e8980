"""Reads the catalogue of variants, sweeps and protocols, and any other YAML that ships."""

from ablate.registry.catalogue import Catalogue
from ablate.registry.places import named_files, only_in, search_path, shipped
from ablate.registry.problems import nearest, validated
from ablate.registry.yaml_reader import read

__all__ = [
    "Catalogue",
    "named_files",
    "nearest",
    "only_in",
    "read",
    "search_path",
    "shipped",
    "validated",
]
