"""``confusion.parquet``: how the pixels of every validation image were classified."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import StoreError
from ablate.runs import documents
from ablate.runs.cells import CELLS, MASK_COUNTS, MaskCount, PixelCount
from ablate.runs.names import shown
from ablate.runs.sealing import REPAIR

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_NAMES = "image"
# Columns are compressed: a small file may claim any number of rows.
_MOST_IMAGES = 1_000_000
_MOST_BYTES = 1 << 28
# So many images of so many pixels can be added up in 64 bits.
_MOST_PIXELS = 1 << 40


@dataclass(frozen=True, eq=False)
class Confusions:
    """Validation pixels by image; N images.

    Attributes:
        names: Names of the images, all different, in the order of evaluation.
        counts: Shape Nx4, int64, none negative: true positives, false positives, false negatives
            and true negatives of each image.
        of_masks: What the task counts besides, by name: N numbers each; empty where nothing is.
    """

    names: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    of_masks: Mapping[MaskCount, npt.NDArray[np.int64]] = field(default_factory=dict)

    @property
    def tp(self) -> npt.NDArray[np.int64]:
        """True positives of each image, shape N."""
        return self.counts[:, 0]

    @property
    def fp(self) -> npt.NDArray[np.int64]:
        """False positives of each image, shape N."""
        return self.counts[:, 1]

    @property
    def fn(self) -> npt.NDArray[np.int64]:
        """False negatives of each image, shape N."""
        return self.counts[:, 2]

    @property
    def tn(self) -> npt.NDArray[np.int64]:
        """True negatives of each image, shape N."""
        return self.counts[:, 3]

    @property
    def pooled(self) -> dict[PixelCount, int]:
        """The pixels of all images: tp, fp, fn and tn, and what the task counts besides."""
        pixels: dict[PixelCount, int] = {}
        pixels.update(zip(CELLS, self.counts.sum(axis=0).tolist(), strict=True))
        pixels.update({name: int(column.sum()) for name, column in self.of_masks.items()})
        return pixels


def encode(
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
    columns: Sequence[PixelCount] = (),
) -> bytes:
    """The content of ``confusion.parquet``: one row for each validation image.

    Args:
        names: Names of the images, N of them; what cannot be printed is escaped.
        counts: Of each image, one number for each column; shape NxC.
        columns: ``CELLS``, and what the task counts besides; empty: ``CELLS``.
    """
    import pyarrow
    from pyarrow import parquet

    columns = columns or CELLS
    arrays: list[Any] = [pyarrow.array([shown(name) for name in names], pyarrow.string())]
    for place in range(len(columns)):
        arrays.append(pyarrow.array([int(row[place]) for row in counts], pyarrow.int64()))
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays, names=[_NAMES, *columns]), buffer)
    return buffer.getvalue()


def read(path: Path) -> Confusions:
    """Reads a file of them.

    Raises:
        StoreError: If it is missing or cannot be read.
    """
    return decode(documents.required_content(path, REPAIR), path)


def decode(content: bytes, path: Path) -> Confusions:
    """The confusions in the content of a file.

    Args:
        content: What the file holds.
        path: The file, for messages.

    Raises:
        StoreError: If it is not what ``encode`` writes.
    """
    import numpy as np
    import pyarrow

    try:
        names, columns = _read(content)
        stacked = np.stack(list(columns.values()), axis=1)
        known = _checked(names)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise StoreError(f"{path} cannot be read: {reason}", REPAIR) from error
    if stacked.min() < 0 or stacked.max() > _MOST_PIXELS:
        wrong = stacked.min() if stacked.min() < 0 else stacked.max()
        raise StoreError(f"{path} counts {wrong:,} pixels in an image", REPAIR)
    of_masks = {name: columns[name] for name in MASK_COUNTS[-1] if name in columns}
    counts = np.ascontiguousarray(stacked[:, : len(CELLS)])
    return Confusions(names=known, counts=counts, of_masks=of_masks)


def _read(content: bytes) -> tuple[tuple[str, ...], dict[PixelCount, npt.NDArray[np.int64]]]:
    """Names, and the columns of counts.

    Raises:
        ValueError: If the table has other columns, no rows, too many, or gaps.
        pyarrow.ArrowException: If it is not Parquet.
    """
    import numpy as np
    import pyarrow
    from pyarrow import parquet

    # Not read_table, which takes more than twice as long for a file as small as this.
    file = parquet.ParquetFile(pyarrow.BufferReader(content))
    metadata, schema = file.metadata, file.schema_arrow
    cells = next(
        (
            (*CELLS, *of_masks)
            for of_masks in MASK_COUNTS
            if schema.names == [_NAMES, *CELLS, *of_masks]
        ),
        None,
    )
    if cells is None:
        raise ValueError(f"its columns are {', '.join(schema.names)[:80]}")
    text = (pyarrow.string(), pyarrow.large_string())
    if schema.types[0] not in text or set(schema.types[1:]) != {pyarrow.int64()}:
        raise ValueError("its columns are not text and whole numbers")
    if not 1 <= metadata.num_rows <= _MOST_IMAGES:
        raise ValueError(f"it has {metadata.num_rows:,} rows")
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    if (size := sum(group.total_byte_size for group in groups)) > _MOST_BYTES:
        raise ValueError(f"it unpacks to {size:,} bytes")
    table = file.read(use_threads=False, use_pandas_metadata=False)
    if any(column.null_count for column in table.columns):
        raise ValueError("it has gaps")
    return (
        tuple(table.column(0).to_pylist()),
        # Not to_numpy, which imports pandas: a third of the time of a small report.
        {cell: np.from_dlpack(table[cell].combine_chunks()).astype(np.int64) for cell in cells},
    )


@lru_cache(maxsize=256)
def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    """The same names, as one value for all runs of a sweep that have them.

    Raises:
        ValueError: If two are equal.
    """
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names image {shown(twice)} twice")
    return names
