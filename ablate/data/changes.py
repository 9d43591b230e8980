"""Which files of a data set have changed since a run was planned."""

from pathlib import Path

from ablate.runs import FileDigests, shown

_NAMES_SHOWN = 3


def changes_since(root: Path, since_s: float, digests: Path) -> str:
    """Names the files that were written, put in place or removed; for messages.

    By the time of change (``st_ctime``), which unlike that of modification cannot be set. What only
    moved has a new one, too: ask only where a digest has changed.

    Args:
        root: A folder, or a single file.
        since_s: When the run was planned.
        digests: Where digests of files are remembered, and so the names of those that are gone.

    Returns:
        For example ``images/a.png has changed, images/b.png is gone``; empty where none is found.
    """
    root = root.absolute()
    files = [root] if root.is_file() else [path for path in root.rglob("*") if path.is_file()]
    # A second of tolerance: file systems and clocks are that coarse.
    changed = [path for path in files if path.stat().st_ctime > since_s - 1]
    gone = [path for path in FileDigests(digests).files() if root in path.parents]
    said = [f"{_name(path, root)} has changed" for path in sorted(changed)]
    said += [f"{_name(path, root)} is gone" for path in sorted(gone) if not path.exists()]
    more = f" and {len(said) - _NAMES_SHOWN} more" if len(said) > _NAMES_SHOWN else ""
    return ", ".join(said[:_NAMES_SHOWN]) + more


def _name(path: Path, root: Path) -> str:
    return shown(path.relative_to(root) if path != root else path.name)
