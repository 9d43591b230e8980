"""``confusion.parquet``: the pixels of every validation image, counted by truth and prediction."""

from pathlib import Path
from typing import Any, NamedTuple

from ablate.errors import StoreError

_CELLS = ("tp", "fp", "fn", "tn")
# No validation part is nearly as large; a hostile file would claim any number of rows.
_MOST_IMAGES = 1_000_000
_MOST_BYTES = 256_000_000


class ImageConfusion(NamedTuple):
    """One row of the file: pixels of one image.

    Attributes:
        image: The image's name, as one line.
        tp: Positive, predicted as positive.
        fp: Background, predicted as positive.
        fn: Positive, predicted as background.
        tn: Background, predicted as background.
    """

    image: str
    tp: int
    fp: int
    fn: int
    tn: int


def read_confusions(path: Path) -> list[ImageConfusion]:
    """Reads the file, in the order of the validation part.

    Raises:
        StoreError: If it is missing, unreadable, or not such a table.
    """
    # Loading it takes a tenth of a second, which commands that read none should not spend.
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    repair = "remove the run's folder and run again"
    if not path.is_file():
        raise StoreError(f"{path} is missing", repair)
    try:
        with ParquetFile(path) as file:
            _check_form(file, path, repair)
            table = file.read(columns=["image", *_CELLS])
        columns: list[list[Any]] = [column.to_pylist() for column in table.columns]
    except (ArrowException, OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise StoreError(f"{path} cannot be read: {why}", repair) from error
    rows = [ImageConfusion(*row) for row in zip(*columns, strict=True)]
    for row in rows:
        if row.image is None or any(pixels is None or pixels < 0 for pixels in row[1:]):
            raise StoreError(f"{path} has a row without a name or a count of pixels", repair)
    return rows


def _check_form(file: Any, path: Path, repair: str) -> None:
    """Makes sure, before anything is decoded, that the table is one of ours and not too large."""
    from pyarrow import types

    fields = {field.name: field.type for field in file.schema_arrow}
    expected = {"image": _is_text} | dict.fromkeys(_CELLS, types.is_integer)
    if not all(name in fields and check(fields[name]) for name, check in expected.items()):
        raise StoreError(f"{path} is not a table of {', '.join(expected)}", repair)
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    size_bytes = sum(group.total_byte_size for group in groups)
    if file.metadata.num_rows > _MOST_IMAGES or size_bytes > _MOST_BYTES:
        raise StoreError(
            f"{path} claims {file.metadata.num_rows:,} images in {size_bytes:,} bytes", repair
        )


def _is_text(kind: Any) -> bool:
    """Versions of pandas differ in the kind of text that they write."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))
