"""How the process that mirrors tells its parent that MLflow lacks something in the end."""

import logging
import sys
from pathlib import Path
from typing import NoReturn

EXIT_BEHIND = 4
_MARK = "MLflow is behind: "

_logger = logging.getLogger(__name__)


def end_behind(reason: str) -> NoReturn:
    """Ends this process; its log, to which its output goes, has the reason as the last line."""
    _logger.error("%s%s", _MARK, " ".join(reason.split()))
    sys.exit(EXIT_BEHIND)


def why_behind(log: Path) -> str:
    """The reason that a process left in its log; empty where there is none."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return text.rpartition(_MARK)[2].partition("\n")[0] if _MARK in text else ""
