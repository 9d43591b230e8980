"""Where a run comes from: the versions of code and packages."""

import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from ablate.runs import Provenance
from ablate.spec import SamVariant, Variant

_PACKAGES = ("torch", "torchvision", "segment-anything", "numpy", "pillow", "scipy")


def provenance() -> Provenance:
    """The provenance of a run that is planned now."""
    return Provenance(
        created=time.time(),
        ablate=version("ablate"),
        commit=_commit(),
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES},
    )


def with_packages_of(variant: Variant, origin: Provenance) -> Provenance:
    """A run's provenance: its adapter may compute with packages that other rows do not need."""
    names = variant.distributions if isinstance(variant, SamVariant) else ()
    if not names:
        return origin
    packages = origin.packages | {name: version(name) for name in names}
    return origin.model_copy(update={"packages": packages})


def _commit() -> str | None:
    """The commit of the checkout that ablate is imported from; None for an installed wheel."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+changes" if changes else commit


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, check=True, text=True
    )
    return done.stdout.strip()
