"""Tables from runs: needs neither torch nor MLflow.

The path: ``build`` reads the store and the published values into a ``Report``, ``render`` turns
it into Markdown, CSV or JSON, ``write`` puts it into a file.
"""

from ablate.report.build import build
from ablate.report.model import Report
from ablate.report.published import PublishedTable, load_published
from ablate.report.render import SUFFIXES, Format, render, write

__all__ = [
    "SUFFIXES",
    "Format",
    "PublishedTable",
    "Report",
    "build",
    "load_published",
    "render",
    "write",
]
