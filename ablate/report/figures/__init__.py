"""The figures of a report, for print; ``style`` says what all of them share.

A figure is a function from a ``Report`` and a ``PageData`` to its sheets, or to the reason why it
is left out, and a line in ``FIGURES``. It computes no number. Matplotlib is loaded where one is
drawn.
"""

import importlib
from typing import NamedTuple

from ablate.report.model import Report
from ablate.report.page.model import PageData

# Figure → "module:function".
FIGURES: dict[str, str] = {
    "parameters": "ablate.report.figures.parameters:draw",
    "differences": "ablate.report.figures.differences:draw",
    "learning-curves": "ablate.report.figures.curves:draw",
    "panels": "ablate.report.figures.panels:draw",
    "effects": "ablate.report.figures.effects:draw",
    "best-of-k": "ablate.report.figures.best_of_k:draw",
}


class DrawnFigures(NamedTuple):
    """Every figure that the runs allow.

    Attributes:
        files: The content of each file, by its name.
        left_out: By figure, why there is none.
    """

    files: dict[str, bytes]
    left_out: dict[str, str]


def draw_figures(report: Report, page: PageData) -> DrawnFigures:
    """Draws every figure that the runs allow; equal values give equal bytes.

    Args:
        report: The report.
        page: Its learning curves and panels.
    """
    from ablate.report.figures.style import LeftOut, encoded, house_style

    files: dict[str, bytes] = {}
    left_out: dict[str, str] = {}
    with house_style():
        for name, path in FIGURES.items():
            module, _, function = path.partition(":")
            made = getattr(importlib.import_module(module), function)(report, page)
            if isinstance(made, LeftOut):
                left_out[name] = made.reason
                continue
            for sheet in made:
                files |= encoded(sheet)
    return DrawnFigures(files, left_out)
