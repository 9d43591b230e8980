"""What a run leaves that cannot go on."""

import time
import traceback

from ablate.errors import Diverged
from ablate.runs import Failure, RunFolder


def leave_failure(folder: RunFolder, error: Exception) -> None:
    """Writes ``failure.json``.

    Args:
        folder: The run's folder.
        error: Why; raised and caught.
    """
    diverged = isinstance(error, Diverged)
    folder.write_failure(
        Failure(
            kind="diverged" if diverged else "error",
            message=_one_line(error),
            detail="" if diverged else "".join(traceback.format_exception(error)),
            time=time.time(),
        )
    )


def _one_line(error: Exception) -> str:
    """The exception's type and the first line of its text."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
