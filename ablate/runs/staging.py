"""Writing into a folder that another process may take over, without a clock and without locks.

Who has claimed a folder has one of its own in it, the stage. Files are written there and renamed to
their place; what is removed is renamed into the stage first. Who takes over removes the stage: from
then on every rename of the former holder fails, on whatever host it is and however long it was
stopped, since the folder that it would rename from or into exists no more. A network file system
knows that folder by its identity, not by a name that it remembers.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.errors import TakenOver
from ablate.runs import atomic

# What is said of a folder that is gone, by the own system and by a server.
_GONE = (errno.ENOENT, errno.ESTALE)
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


class Writer:
    """Writes the files of one folder.

    Attributes:
        stage: Of this process, while it has claimed the folder; None: what is written then is
            written beside its place.

    Args:
        folder: Which; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        """Touches nothing."""
        self._folder = folder
        self.stage: Path | None = None

    def replace(self, path: Path, content: bytes, *, force_name: bool = True) -> None:
        """Puts ``content`` in place of whatever file ``path`` is; see ``atomic.replace``.

        Raises:
            TakenOver: If another process has taken over; nothing is changed.
        """
        with self._unless_taken_over():
            self._make_parent(path)
            atomic.replace(path, content, self.stage, force_name=force_name)

    def replace_lightly(self, path: Path, content: bytes) -> None:
        """The same, not forced to the disk.

        Raises:
            TakenOver: If another process has taken over; nothing is changed.
        """
        with self._unless_taken_over():
            self._make_parent(path)
            atomic.replace_lightly(path, content, self.stage)

    def publish(self, path: Path, content: bytes) -> bool:
        """Creates ``path`` with ``content``, once and for all; see ``atomic.publish``.

        Raises:
            TakenOver: If another process has taken over; nothing is changed.
        """
        with self._unless_taken_over():
            return atomic.publish(path, content, self.stage)

    def remove(self, path: Path) -> None:
        """Removes a file or folder, if it is there.

        Raises:
            TakenOver: If another process has taken over; nothing is changed.
        """
        if not os.path.lexists(path):
            return
        with self._unless_taken_over():
            if self.stage is not None:
                removed = self.stage / f"removed-{path.name}"
                try:
                    path.rename(removed)
                except FileNotFoundError:
                    # Removed meanwhile, or nothing may be removed any more.
                    self.stage.stat()
                    return
                path = removed
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _make_parent(self, path: Path) -> None:
        """Makes the folder within this one that a file is to lie in."""
        parent = path.parent
        if parent == self._folder or parent.is_dir():
            return
        if self.stage is None:
            atomic.make_folder(parent)
            return
        made = self.stage / parent.name
        made.mkdir(exist_ok=True)
        try:
            made.rename(parent)
        except OSError as error:
            if error.errno not in _NOT_EMPTY:
                raise
        atomic.sync_folder(self._folder)

    @contextmanager
    def _unless_taken_over(self) -> Iterator[None]:
        """Tells a stage that another process has removed from a folder that is gone as a whole."""
        stage = self.stage
        if stage is None:
            atomic.require_folder(self._folder)
        try:
            yield
        except OSError as error:
            if stage is None or error.errno not in _GONE:
                raise
            atomic.require_folder(self._folder)
            if error.errno == errno.ENOENT and stage.is_dir():
                raise
            raise TakenOver(self._folder.name) from error
