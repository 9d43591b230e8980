"""What a drawn figure holds: its texts and its marks, as its SVG names them."""

import html
import re
from unittest.mock import patch
from xml.etree import ElementTree

from ablate.report import FIGURES, DrawnFigures, Report, draw_figures, read_page
from report.sweep_on_disk import SweepOnDisk


def figures_of(table: SweepOnDisk, *names: str, report: Report | None = None) -> DrawnFigures:
    """The figures of a sweep, or those that are named; ``report`` replaces the sweep's own."""
    report = report or table.report()
    wanted = {name: path for name, path in FIGURES.items() if not names or name in names}
    with patch.dict(FIGURES, wanted, clear=True):
        return draw_figures(report, read_page(report, table.store))


def texts(drawn: DrawnFigures, name: str) -> list[str]:
    """Every text of a figure, a line each, in the order of drawing."""
    svg = drawn.files[f"{name}.svg"].decode()
    # Letters are outlines; matplotlib leaves the text beside them as a comment.
    return [html.unescape(each) for each in re.findall(r"<!-- (.*?) -->", svg)]


def marks(drawn: DrawnFigures, name: str, kind: str) -> list[int]:
    """The numbers of the marks of a kind, such as ``reproduced``, in order."""
    tree = ElementTree.fromstring(drawn.files[f"{name}.svg"])
    names = [each.get("id", "") for each in tree.iter()]
    return sorted(int(each.split("-")[1]) for each in names if re.fullmatch(rf"{kind}-\d+", each))
