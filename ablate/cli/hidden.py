"""A note where a file of one's own hides a published one of the same name."""

from collections.abc import Collection

from ablate.cli.lines import print_note
from ablate.registry import Catalogue


def print_hidden(catalogue: Catalogue, names: Collection[str] | None = None) -> None:
    """Says which files are not read, because another one of their name comes first.

    Args:
        catalogue: The catalogue.
        names: Only these, such as ``variant translandseg``; None: all.
    """
    for name, path in catalogue.hidden().items():
        if names is None or name in names:
            hidden = f"note: your own {name} is used, and {path}, of the same name, is not read"
            print_note(hidden)
