"""Writing files so that a kill leaves the old content or the new, never a half."""

import os
import secrets
from pathlib import Path


def _temporary(path: Path, content: bytes) -> Path:
    """Writes ``content`` to a new file beside ``path`` and forces it to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile: its files are closed to the group, a store may be shared.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with temporary.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def replace(path: Path, content: bytes) -> None:
    """Puts ``content`` in place of whatever ``path`` holds."""
    _temporary(path, content).replace(path)


def publish(path: Path, content: bytes) -> bool:
    """Creates ``path`` with ``content``, once and for all.

    Returns:
        False where the file existed already; it is left as it was.
    """
    temporary = _temporary(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def append_line(path: Path, line: str) -> None:
    """Appends one line and forces it to the disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
