"""Where the catalogue lies: the user's working folder first, then what ships with ablate."""

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def shipped(part: str) -> Path:
    """A folder that ships with ablate: ``variants``, ``sweeps`` or ``reports/published``.

    A wheel carries it inside the package, a checkout at its top level.
    """
    inside = _PACKAGE / "_catalogue"
    return (inside if inside.exists() else _PACKAGE.parent) / part


def search_path(part: str) -> list[Path]:
    """The folders to look in for ``part``, first found first served."""
    return [Path(part).absolute(), shipped(part)]
