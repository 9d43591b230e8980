"""Tables from runs: needs neither torch nor MLflow.

The path: ``results`` reads the store, ``summary`` sets the runs beside the published values (a
``Report``), ``tables`` turns that into tables with every word and number that is printed, and
``writers`` print them.
"""

from ablate.report.consistency import RowCheck, check_table, common_share
from ablate.report.figures import FIGURES, DrawnFigures, draw_figures
from ablate.report.model import Report
from ablate.report.page import PageData, read_page
from ablate.report.parameters import parameters_key, required_parameters
from ablate.report.published import (
    PublishedTable,
    load_published,
    load_scores,
    score_tables,
)
from ablate.report.summary import build_report
from ablate.report.table import Column, Table, TableCell
from ablate.report.tables import tables_of
from ablate.report.writers import (
    PAGED,
    SUFFIXES,
    WRITERS,
    check_format,
    render,
    suffix_of,
    write_report,
)
from ablate.report.writers.markdown import to_note

__all__ = [
    "FIGURES",
    "PAGED",
    "SUFFIXES",
    "WRITERS",
    "Column",
    "DrawnFigures",
    "PageData",
    "PublishedTable",
    "Report",
    "RowCheck",
    "Table",
    "TableCell",
    "build_report",
    "check_format",
    "check_table",
    "common_share",
    "draw_figures",
    "load_published",
    "load_scores",
    "parameters_key",
    "read_page",
    "render",
    "required_parameters",
    "score_tables",
    "suffix_of",
    "tables_of",
    "to_note",
    "write_report",
]
