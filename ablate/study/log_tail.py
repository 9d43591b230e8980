"""``LogTail``: a text file that grows, read from where the last look has ended."""

import os
from pathlib import Path

from ablate.runs import plain_files, shown

# Of the end of a log at first, and of what was added at each look; a longer line is cut.
_MOST_BYTES = 4_000_000


class LogTail:
    """The lines of a log; what would steer a terminal is escaped.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        self.path = path
        self._position = 0
        # The bytes of a line whose end is not written yet.
        self._begun = b""

    def last(self, count: int, *, is_growing: bool) -> tuple[str, ...]:
        """The last lines; ``read`` goes on behind them.

        Args:
            count: How many.
            is_growing: Whether a line without an end is left to a later look.

        Raises:
            OSError: If it cannot be read; ``strerror`` says why.
        """
        with plain_files.opened(self.path) as file:
            self._position = max(0, os.fstat(file.fileno()).st_size - _MOST_BYTES)
        lines = self.read() if is_growing else (*self.read(), *self.rest())
        return lines[-count:] if count else ()

    def read(self) -> tuple[str, ...]:
        """The whole lines that were added since the last look; of a shorter file, all.

        Raises:
            OSError: If it cannot be read; ``strerror`` says why.
        """
        with plain_files.opened(self.path) as file:
            if os.fstat(file.fileno()).st_size < self._position:
                self._position, self._begun = 0, b""
            file.seek(self._position)
            added = file.read(_MOST_BYTES)
        self._position += len(added)
        whole, newline, self._begun = (self._begun + added).rpartition(b"\n")
        if len(self._begun) > _MOST_BYTES:
            return (*_printable(whole), *self.rest())
        return _printable(whole + newline)

    def rest(self) -> tuple[str, ...]:
        """What was read of the last line, which nobody ends any more."""
        begun, self._begun = self._begun, b""
        return _printable(begun)


def _printable(content: bytes) -> tuple[str, ...]:
    lines = content.decode(errors="replace").splitlines()
    return tuple(shown(line.expandtabs()) for line in lines)
