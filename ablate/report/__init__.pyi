from .consistency import RowCheck, check_table, common_share
from .figures import FIGURES, DrawnFigures, draw_figures
from .model import Report
from .page import PageData, read_page
from .parameters import parameters_key, required_parameters
from .published import (
    PublishedTable,
    load_published,
    load_scores,
    score_tables,
)
from .summary import build_report
from .table import Column, Table, TableCell
from .tables import tables_of
from .writers import (
    PAGED,
    SUFFIXES,
    WRITERS,
    check_format,
    render,
    suffix_of,
    write_report,
)
from .writers.markdown import to_note

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
