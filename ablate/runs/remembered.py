"""Small files of a store's cache, as JSON beside its digest: what is damaged is made anew."""

import hashlib
import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from ablate.runs import atomic, plain_files

_logger = logging.getLogger(__name__)


def recall(path: Path) -> Any:
    """What was remembered; None: nothing, or the file is not as it was written.

    A power cut may leave it empty or full of zeros where the disk does not keep its promises, and
    numbers of a damaged file would be believed.
    """
    try:
        document = json.loads(plain_files.read_bytes(path))
        if document["sha256"] == _digest(document["content"]):
            return document["content"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    _logger.warning("%s is damaged or of another version, and is made anew", path)
    return None


def remember(path: Path, content: Any) -> None:
    """Puts JSON into the file, where it can be written: what is not remembered is found anew."""
    document = {"sha256": _digest(content), "content": content}
    with suppress(OSError):
        atomic.replace(path, json.dumps(document).encode())


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
