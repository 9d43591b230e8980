"""``checkpoint-STEP.pt`` of a run's folder: the newest states of its training."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ablate.runs import plain_files
from ablate.runs.staging import Writer

_KEPT = 2


class CheckpointFiles:
    """The checkpoints of one run on disk, each beside its SHA-256.

    Args:
        path: The run's folder; it need not exist yet.
        writer: Of that folder.
    """

    def __init__(self, path: Path, writer: Writer) -> None:
        """Touches nothing."""
        self._path = path
        self._writer = writer

    def __bool__(self) -> bool:
        """Whether there are any."""
        return any(self._files())

    def save(self, step: int, content: bytes) -> None:
        """Writes the state after ``step`` and its SHA-256; keeps the last two."""
        path = self._path / f"checkpoint-{step:09d}.pt"
        digest = hashlib.sha256(content).hexdigest()
        self._writer.replace(_digest_of(path), digest.encode())
        self._writer.replace(path, content)
        kept = self._files()[-_KEPT:]
        self._remove_all_but({*kept, *map(_digest_of, kept)})

    def load(self) -> Iterator[bytes]:
        """Those whose SHA-256 is right, the newest first."""
        for path in reversed(self._files()):
            with suppress(OSError):
                digest, content = map(plain_files.read_bytes, (_digest_of(path), path))
                if digest == hashlib.sha256(content).hexdigest().encode():
                    yield content

    def drop(self) -> None:
        """Removes all of them."""
        self._remove_all_but(set())

    def _files(self) -> list[Path]:
        """Oldest first; the names sort by step."""
        return sorted(self._path.glob("checkpoint-*.pt"))

    def _remove_all_but(self, kept: set[Path]) -> None:
        """Removes checkpoints, and digests of some that were never written."""
        for path in self._path.glob("checkpoint-*"):
            if path not in kept:
                self._writer.remove(path)


def _digest_of(path: Path) -> Path:
    return path.with_suffix(".sha256")
