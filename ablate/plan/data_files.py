"""Which files a data set consisted of when it was first trained on, and which are others now."""

from pathlib import Path

from ablate.errors import BadInput, StoreError
from ablate.runs import FileDigests, Store, shown
from ablate.runs.remembered import recall, remember

_NAMES_SHOWN = 3
# A display reads no more than this again: a second or less.
MOST_READ_BYTES = 100_000_000


def remember_data_files(store: Store, digest: str, root: Path) -> None:
    """Keeps the digests of a data set's files, unless they are kept already.

    Args:
        store: Where; its digests of files are those of now.
        digest: The data set's.
        root: Its folder.
    """
    path = store.data_files_path(digest)
    if not path.exists():
        root = root.absolute()
        known = FileDigests(store.digests_path).below(root)
        remember(path, {str(file.relative_to(root)): sha for file, sha in known.items()})


def changed_data_files(
    store: Store, digest: str, root: Path, most_bytes: int | None = None
) -> list[str]:
    """What is other than when a data set was first trained on; nothing is written.

    Args:
        store: Where that is kept.
        digest: The data set's.
        root: Its folder.
        most_bytes: Files of unknown content are read as long as they have no more in all; the
            others count as unchanged. None: all are read.

    Returns:
        For example ``images/a.png has changed``, by name; empty where no files are kept.
    """
    path, root = store.data_files_path(digest), root.absolute()
    files = recall(path)
    if not isinstance(files, dict):
        return []
    known, said = FileDigests(store.digests_path), {}
    for name, sha in files.items():
        file = root / name
        try:
            if not known.knows(file) and most_bytes is not None:
                most_bytes -= file.stat().st_size
                if most_bytes < 0:
                    continue
            if known.of(file) != sha:
                said[name] = "has changed"
        except (BadInput, OSError):
            said[name] = "is gone" if not file.exists() else "cannot be read"
    since_s = path.stat().st_mtime
    for file in known.below(root):
        name = str(file.relative_to(root))
        # What was changed as the files were listed was not known by then.
        if name not in files and file.stat().st_ctime > since_s:
            said[name] = "is new"
    return [f"{shown(name)} {what}" for name, what in sorted(said.items())]


def changed_weights(store: Store, sha256: str, path: Path | None = None) -> str | None:
    """Whether a file of weights is other than when it was first trained from; nothing is read.

    Args:
        store: Where its place and its digest are kept.
        sha256: Its digest then.
        path: Where it is to be now; None: wherever it was.

    Returns:
        For example ``sam.pth has changed``; None: it has not, was elsewhere, or it cannot be told.
    """
    try:
        file = store.source(sha256)
    except StoreError:
        return None
    known = FileDigests(store.digests_path)
    if path is not None and file != path.absolute():
        return None
    if not file.exists():
        return f"{shown(file.name)} is gone"
    if known.knows(file) and known.of(file) != sha256:
        return f"{shown(file.name)} has changed"
    return None


def some_of(changes: list[str]) -> str:
    """The first few, in one line."""
    more = f" and {len(changes) - _NAMES_SHOWN} more" if len(changes) > _NAMES_SHOWN else ""
    return ", ".join(changes[:_NAMES_SHOWN]) + more
