"""Files of a finished run that no score is made of: compared with their digests when they are used.

A report of 10,000 runs cannot read all weights and panels; what is shown, copied or loaded is read
anyway.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ablate.errors import StoreError
from ablate.runs import documents, plain_files, sealing
from ablate.runs.folder import RunFolder
from ablate.runs.formats import Result

# A panel of 256 pixels has 100 kilobytes.
_MOST_PANEL_BYTES = 1 << 25
_REPAIR = "remove the run's folder and run again, or do without it: no score is made of it"


def panels(folder: RunFolder, problems: list[StoreError]) -> Iterator[tuple[Path, bytes]]:
    """The panels of a run by name, each as it was written.

    Args:
        folder: The run's folder.
        problems: Takes what is wrong with each file that cannot be read, or was changed.
    """
    paths = sorted(folder.panels_path.glob("[!.]*.png"))
    try:
        result = folder.result() if paths else None
    except StoreError as error:
        problems.append(error)
        return
    for path in paths:
        try:
            content = documents.content_of(path, _REPAIR, _MOST_PANEL_BYTES)
            if result is not None:
                name = path.relative_to(folder.path).as_posix()
                sealing.check_content(result, name, content, folder.path, _REPAIR)
        except FileNotFoundError:
            continue
        except StoreError as error:
            problems.append(error)
        else:
            yield path, content


def weights_problem(folder: RunFolder, result: Result) -> str | None:
    """Why a finished run's weights are not to be copied or loaded, by all their bytes.

    None: they are as they were written.
    """
    if (problem := folder.weights_problem()) is not None:
        return problem
    name = folder.weights_path.name
    try:
        with plain_files.opened(folder.weights_path) as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        return f"{name} cannot be read: {error.strerror}"
    return (
        None if digest == result.weights_sha256 else f"{name} was changed after the run had ended"
    )
