"""Counts of pixels that were decoded before, by the digest of the file that held them.

Opening one Parquet file after another takes most of the time of a large report. The files are read
and hashed all the same: what is remembered is only what their bytes mean.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.runs import atomic, confusions, plain_files
from ablate.runs.cells import CELLS
from ablate.runs.confusions import Confusions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Fewer are decoded sooner than a file of all is written.
_WORTH_RUNS = 200
_MOST_BYTES = 1 << 28


class DecodedConfusions:
    """What the files of the runs of one table hold.

    Args:
        path: Where it is remembered; None: nowhere.
    """

    def __init__(self, path: Path | None) -> None:
        """Reads what is remembered; what is damaged is forgotten."""
        self._path = path
        self._known: dict[str, Confusions] = {}
        self._used: dict[str, Confusions] = {}
        if path is not None:
            # OSError: there is none, or none that may be read. The others: it is damaged.
            with suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
                self._known = _unpacked(plain_files.read_bytes(path, _MOST_BYTES))

    def decode(self, content: bytes, path: Path) -> Confusions:
        """The confusions in the content of a file; see ``confusions.decode``.

        Raises:
            StoreError: If it is not what ``confusions.encode`` writes.
        """
        digest = hashlib.sha256(content).hexdigest()
        found = self._known.get(digest) or self._used.get(digest)
        if found is None:
            found = confusions.decode(content, path)
        self._used[digest] = found
        return found

    def remember(self) -> None:
        """Writes what was decoded, where that can be written and is worth a file."""
        # What masks tell besides is rare, and has no place in the file.
        used = {digest: each for digest, each in self._used.items() if not each.of_masks}
        fresh = used.keys() - self._known.keys()
        size = sum(each.counts.nbytes for each in used.values())
        if self._path is not None and len(fresh) >= _WORTH_RUNS and size < _MOST_BYTES // 2:
            with suppress(OSError):
                atomic.replace(self._path, _packed(used))


@contextmanager
def remembered(path: Path | None) -> Iterator[DecodedConfusions]:
    """What was decoded before; what is decoded while this is open is remembered."""
    known = DecodedConfusions(path)
    yield known
    known.remember()


def _packed(runs: dict[str, Confusions]) -> bytes:
    """A line with the digest of the rest, a line of JSON, and the counts, eight bytes each."""
    names = {each.names: 0 for each in runs.values()}
    names = {each: number for number, each in enumerate(names)}
    listed = {digest: names[each.names] for digest, each in runs.items()}
    head = json.dumps({"names": list(names), "runs": listed})
    counts = b"".join(each.counts.astype("<i8").tobytes() for each in runs.values())
    rest = head.encode() + b"\n" + counts
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def _unpacked(content: bytes) -> dict[str, Confusions]:
    """What ``_packed`` has packed.

    Raises:
        ValueError: If it is not as it was written; LookupError and TypeError likewise.
    """
    import numpy as np

    digest, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        raise ValueError("it differs from its digest")
    head, _, packed = rest.partition(b"\n")
    document = json.loads(head)
    names = [tuple(map(str, each)) for each in document["names"]]
    counts: npt.NDArray[np.int64] = np.frombuffer(packed, "<i8").reshape(-1, len(CELLS))
    found, first = {}, 0
    for key, number in document["runs"].items():
        last = first + len(names[number])
        found[key] = Confusions(names[number], counts[first:last])
        first = last
    if first != len(counts):
        raise ValueError("it is of another length")
    return found
