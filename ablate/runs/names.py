"""Names of files: which can be written everywhere, and the file names of panels."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

_LONGEST_BYTES = 251  # file systems allow 255, four of them for ".png"
_HASH_LETTERS = 8


def shown(path: Path | str) -> str:
    """A path as one line that any terminal and any file can take."""
    text = str(path)
    # Nearly every text, of which a report has tens of thousands.
    return text if text.isprintable() else "".join(map(_shown, text))


def unwritable(path: Path) -> str | None:
    """Why a path can be written neither to Parquet nor to JSON or MLflow; None: it can."""
    if any(map(_is_surrogate, str(path))):
        return "is not UTF-8"
    return "has control characters" if any(map(_is_control, str(path))) else None


def panel_names(images: Sequence[str]) -> list[str]:
    """A file name for the panel of each image of a data set, all of them different.

    It is the image's name wherever that is a file name, and different from all others where case
    and normal form do not count. Any other name is escaped, and shortened if need be, and a part
    of its hash is added.

    Args:
        images: The names of all images; names of others decide what an image's panel is called.
    """
    plain = Counter(map(_folded, images))
    return [
        f"{name if _is_file_name(name) and plain[_folded(name)] == 1 else _escaped(name)}.png"
        for name in images
    ]


def _is_file_name(name: str) -> bool:
    is_safe = shown(name) == name and "/" not in name and not name.startswith(".")
    return is_safe and 0 < len(name.encode()) <= _LONGEST_BYTES


def _escaped(name: str) -> str:
    content = name.encode("utf-8", "surrogatepass")
    # At the front, a full stop would hide the file.
    escaped = quote(content, safe=" ").replace(".", "%2E")
    digest = hashlib.sha256(content).hexdigest()[:_HASH_LETTERS]
    return f"{escaped[: _LONGEST_BYTES - _HASH_LETTERS - 1]}-{digest}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _shown(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # how Python holds a byte that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    if _is_surrogate(letter) or _is_control(letter):
        return letter.encode("unicode_escape").decode()
    return letter


def _is_surrogate(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff"


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc"
