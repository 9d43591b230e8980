"""Tables from runs: needs neither torch nor MLflow.

The path: ``build`` reads the store and the published values into a ``Report``, ``render`` turns
it into Markdown, CSV or JSON, ``write`` puts it into a file.
"""

from ablate.report.build import build
from ablate.report.consistency import RowCheck, check_table, common_share
from ablate.report.model import Report
from ablate.report.published import PublishedTable, load_published, score_tables
from ablate.report.render import SUFFIXES, Format, render, write

__all__ = [
    "SUFFIXES",
    "Format",
    "PublishedTable",
    "Report",
    "RowCheck",
    "build",
    "check_table",
    "common_share",
    "load_published",
    "render",
    "score_tables",
    "write",
]
