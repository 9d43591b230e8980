"""Unpacks an archive that may be anything: hostile, damaged, or no archive at all."""

import stat
import zipfile
import zlib
from pathlib import Path

from ablate.errors import BadInput
from ablate.runs import shown
from ablate.study.bundle.form import METADATA, kind_of

# A bundle of 10,000 runs has 40,000 files.
_MOST_FILES = 500_000
# Repeated text becomes small, but no bundle becomes a hundredth.
_MOST_EXPANSION = 100
_FREE_BYTES = 16_000_000
_MOST_BYTES = 1 << 40
_MOST_OF_A_RUN_BYTES = 1 << 26
_MOST_OF_A_FILE_BYTES = 1 << 29
_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def unpack(path: Path, folder: Path) -> list[str]:
    """Unpacks a bundle into an empty folder.

    Nothing is written that is not a file of a bundle: names are compared with those that bundles
    have before anything is unpacked, and sizes are bounded by the size of the archive.

    Args:
        path: The archive.
        folder: Where to unpack it.

    Returns:
        The paths of its files.

    Raises:
        BadInput: If it is not an archive, is damaged, or holds what no bundle holds.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(path, entries)
            for entry in entries:
                _unpack(archive, entry, folder / entry.filename)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        why = " ".join(str(error).split()) or "it is cut off"
        raise BadInput(
            f"{shown(path)} is not a whole archive: {shown(why)}", "copy or download it again"
        ) from error
    except OSError as error:
        raise BadInput(
            f"{shown(path)} cannot be unpacked: {error.strerror}", "check the path and the disk"
        ) from error
    return [entry.filename for entry in entries]


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuses everything that no bundle has, before anything is written."""
    names = [entry.filename for entry in entries]
    if METADATA not in names:
        raise BadInput(f"{shown(path)} has no {METADATA}", "give an archive of `ablate bundle`")
    if len(entries) > _MOST_FILES:
        raise _refused(path, f"has {len(entries):,} files")
    seen: set[str] = set()
    for entry in entries:
        name = shown(entry.filename[:80])
        if entry.filename in seen:
            raise _refused(path, f"has {name} twice")
        seen.add(entry.filename)
        if kind_of(entry.filename) is None:
            raise _refused(path, f"holds {name}, which no bundle does")
        if entry.file_size > _most_bytes_of(entry.filename):
            raise _refused(path, f"holds {name} of {entry.file_size:,} bytes")
        # Archives of other systems tell no mode.
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _refused(path, f"holds {name} as a link or a device")
        if entry.flag_bits & _ENCRYPTED:
            raise _refused(path, f"holds {name} encrypted")
        if entry.compress_type not in _METHODS:
            raise _refused(path, f"holds {name} compressed by method {entry.compress_type}")
    size_bytes = sum(entry.file_size for entry in entries)
    most = min(_MOST_BYTES, _FREE_BYTES + _MOST_EXPANSION * path.stat().st_size)
    if size_bytes > most:
        raise _refused(path, f"would unpack to {size_bytes:,} bytes, more than {most:,}")


def _most_bytes_of(name: str) -> int:
    """What is read as a whole is bounded; weights are not."""
    if name.endswith(".safetensors"):
        return _MOST_BYTES
    return _MOST_OF_A_RUN_BYTES if name.startswith("runs/") else _MOST_OF_A_FILE_BYTES


def _refused(path: Path, why: str) -> BadInput:
    return BadInput(f"{shown(path)} {why}", "give an archive of `ablate bundle`, as it was written")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # An entry is read up to the size that it claims, and then its checksum is compared.
    with archive.open(entry) as packed, target.open("xb") as file:
        while chunk := packed.read(_CHUNK_BYTES):
            file.write(chunk)
