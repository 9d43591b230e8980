"""All pixels of a data set are read once before anything starts, and that is remembered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ablate.errors import DataError
from ablate.runs.remembered import recall, remember

if TYPE_CHECKING:
    from ablate.data.images import Images

# Raised whenever ``load`` refuses more than before.
_VERSION = 1


@runtime_checkable
class Checkable(Protocol):
    """A data set whose pairs can be read before it is known how they are scaled."""

    def check(self, index: int) -> int | None:
        """Reads a pair as ``load`` does, except that it needs no percentiles.

        Returns:
            The value that was taken for positive; None: it was declared, or nothing is positive.
        """
        ...


@runtime_checkable
class HasUndeclaredMasks(Checkable, Protocol):
    """A data set whose masks may be read without a declaration."""

    def ambiguous_masks(self, first: int, value: int, second: int, other: int) -> DataError:
        """The error of two masks, by their indices, that were read as positive at two values."""
        ...


@runtime_checkable
class HasHeaders(Protocol):
    """A data set whose files say in their first bytes what is wrong with many of them."""

    def check_header(self, index: int) -> None:
        """Refuses what the headers of a pair's files alone tell, and decodes no pixel."""
        ...

    def is_hashed(self) -> bool:
        """Whether ``digest`` needs to read no file again."""
        ...


def verify(images: Images, digests: Path | None) -> None:
    """Reads every pair unless the files are those of a data set that was read before.

    The headers of all files come before any file is read as a whole: most mistakes show there, and
    are reported in seconds.

    Args:
        images: The data set.
        digests: The file beside which the outcome is remembered; None: nowhere.

    Raises:
        DataError: If ``load`` would refuse a pair, or if masks hold different positive values.
    """
    path = None if digests is None else digests.with_name("verified.json")
    known = [] if path is None else _read(path)
    if isinstance(images, HasHeaders) and not images.is_hashed():
        for index in range(len(images.names)):
            images.check_header(index)
    digest = f"{_VERSION}-{images.digest()}"
    if digest in known:
        return
    seen: dict[int, int] = {}
    for index in range(len(images.names)):
        if not isinstance(images, Checkable):
            images.load(index)
            continue
        value = images.check(index)
        if value is not None and isinstance(images, HasUndeclaredMasks):
            seen.setdefault(value, index)
            if len(seen) > 1:
                (one, first), (other, second) = seen.items()
                raise images.ambiguous_masks(first, one, second, other)
    if path is not None:
        remember(path, [*known, digest])


def _read(path: Path) -> list[str]:
    """What is remembered; empty where the file is missing or broken."""
    known = recall(path)
    return known if isinstance(known, list) else []
