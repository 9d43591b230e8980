"""Reading one array of an HDF5 file once its declaration has passed."""

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ablate.data.pairs import some
from ablate.errors import DataError

# Compressed chunks are unpacked whole, however little of them the array declares; and what a
# file's bytes can swell to is bounded by their number alone. The data set's files have 2 MB.
_LIMIT_BYTES = 2**24
# Each is looked up and unpacked for itself. Files as h5py makes them have some dozens.
_MOST_CHUNKS = 4096
# What unpacks: at most one of them, since two would multiply how far bytes can swell.
_UNPACKING = {"gzip": h5py.h5z.FILTER_DEFLATE, "lzf": h5py.h5z.FILTER_LZF}
_KEEPING_SIZE = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
_CHECKSUM_BYTES = 4

_REPLACE = "replace the file"


def read_array(path: Path, key: str, shape: tuple[int, ...], kinds: str) -> npt.NDArray[Any]:
    """Reads the array ``key`` if it is declared as expected and lies in the file itself.

    Args:
        path: The file.
        key: The array's name at the top of the file.
        shape: The one shape that is accepted.
        kinds: NumPy's letters of the kinds of numbers that are accepted (``f``, ``i``, ``u``,
            ``b``).

    Raises:
        DataError: If the file is broken or too large, or if the array is missing, of another
            shape or kind, or lies elsewhere.
    """
    with _declared(path, key, shape, kinds) as array:
        _check_unpacked(path, key, array)
        return np.asarray(array[()])


def check_array(path: Path, key: str, shape: tuple[int, ...], kinds: str) -> None:
    """Refuses what ``read_array`` refuses by the declaration alone, and reads no value.

    Raises:
        DataError: As ``read_array``.
    """
    with _declared(path, key, shape, kinds):
        pass


@contextmanager
def _declared(path: Path, key: str, shape: tuple[int, ...], kinds: str) -> Iterator[h5py.Dataset]:
    """The array, declared as expected; what is raised while it is open becomes one line."""
    # On a broken file the library raises errors of many kinds, hence the wide net.
    try:
        size = path.stat().st_size
        if size > _LIMIT_BYTES:
            raise DataError(f"{path} has {size} bytes, more than {_LIMIT_BYTES}", _REPLACE)
        # Reading needs no lock, and some network file systems have none.
        with h5py.File(path, "r", locking=False) as file:
            _check_place(path, file, key)
            array = file[key]
            _check_declaration(path, key, array, shape, kinds)
            yield array
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as HDF5 ({' '.join(str(error).split())})", _REPLACE
        ) from error


def _check_place(path: Path, file: h5py.File, key: str) -> None:
    """Refuses a key that is missing or a link: a link can name any other file."""
    link = file.get(key, getlink=True)
    if link is None:
        held = some([repr(name) for name in file]) or "nothing"
        raise DataError(f"{path} has no array {key!r}, it holds {held}", _REPLACE)
    if not isinstance(link, h5py.HardLink):
        raise DataError(
            f"{key!r} in {path} is a link to something else", "store the values in the file itself"
        )


def _check_declaration(
    path: Path, key: str, array: Any, shape: tuple[int, ...], kinds: str
) -> None:
    """Refuses by the header alone, before any value is read."""
    if not isinstance(array, h5py.Dataset):
        raise DataError(f"{key!r} in {path} is not an array", _REPLACE)
    if array.is_virtual or array.external:
        raise DataError(
            f"{key!r} in {path} takes its values from other files",
            "store the values in the file itself",
        )
    if array.shape != shape:
        raise DataError(
            f"{key!r} in {path} has the shape {_times(array.shape)}, not {_times(shape)}", _REPLACE
        )
    if array.dtype.kind not in kinds:
        raise DataError(f"{key!r} in {path} holds {array.dtype}, not numbers", _REPLACE)
    chunk = int(np.prod(array.chunks or shape, dtype=object)) * array.dtype.itemsize
    if chunk > _LIMIT_BYTES:
        raise DataError(
            f"{key!r} in {path} is stored in chunks of {chunk} bytes, more than {_LIMIT_BYTES}",
            _REPLACE,
        )
    _check_chunks(path, key, array)


def _check_chunks(path: Path, key: str, array: h5py.Dataset) -> None:
    if array.chunks is None:
        return
    count = math.prod(map(_ceil_divided, array.shape, array.chunks))
    if count > _MOST_CHUNKS:
        raise DataError(
            f"{key!r} in {path} is stored in {count} chunks, more than {_MOST_CHUNKS}", _REPLACE
        )
    filters = _filters(array)
    unpacking = [each for each in filters if each not in _KEEPING_SIZE]
    if len(unpacking) > 1 or not set(unpacking) <= set(_UNPACKING.values()):
        raise DataError(
            f"{key!r} in {path} is compressed in a way that is not read",
            f"store it uncompressed, or by {' or '.join(_UNPACKING)}",
        )


def _check_unpacked(path: Path, key: str, array: h5py.Dataset) -> None:
    """Refuses chunks that unpack to more than is declared: the library unpacks them whole.

    LZF makes at most a hundred bytes of one, which the size of what is stored bounds well enough.
    """
    if array.chunks is None or not (filters := _filters(array)):
        return
    chunk = int(np.prod(array.chunks)) * array.dtype.itemsize + _CHECKSUM_BYTES
    stored: list[h5py.h5d.StoreInfo] = []
    array.id.chunk_iter(stored.append)
    for each in stored:
        swells = each.size > 2 * chunk
        if not swells and _UNPACKING["gzip"] in filters:
            mask, content = array.id.read_direct_chunk(each.chunk_offset)
            # A bit says that a filter was left out for this chunk.
            if not mask >> filters.index(_UNPACKING["gzip"]) & 1:
                swells = len(zlib.decompressobj().decompress(content, chunk + 1)) > chunk
        if swells:
            raise DataError(
                f"a chunk of {key!r} in {path} unpacks to more than the {chunk} bytes that it is "
                "declared to have",
                _REPLACE,
            )


def _filters(array: h5py.Dataset) -> list[int]:
    """The numbers of the filters that values go through as they are stored, in their order."""
    pipeline = array.id.get_create_plist()
    return [pipeline.get_filter(index)[0] for index in range(pipeline.get_nfilters())]


def _ceil_divided(length: int, part: int) -> int:
    return math.ceil(length / part)


def _times(shape: tuple[int, ...] | None) -> str:
    return "×".join(map(str, shape)) if shape else "of a single value"
