"""The figure of a tuning: the expected best of k trials of every row, a curve each."""

import io
import warnings
from pathlib import Path
from typing import Any

from ablate.errors import BadInput
from ablate.report.model import Report
from ablate.report.summary import HEADINGS
from ablate.runs import atomic

# What a file's name ends with → matplotlib's metadata; a date or a version would change the bytes.
_FORMATS: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None}}
# One of these for each colour of the palette, then the next.
_DASHES = ("-", "--", ":", "-.")
_COLOURS = 10


def check_format(path: Path) -> None:
    """Makes sure that the figure can be written under this name.

    Raises:
        BadInput: If the name ends otherwise than with ``.png`` or ``.svg``.
    """
    if path.suffix.lower() not in _FORMATS:
        raise BadInput(
            f"the figure {path} is neither PNG nor SVG", "give a name that ends with .png or .svg"
        )


def write_curves(report: Report, path: Path) -> None:
    """Draws the curves into a PNG or SVG file; equal reports give equal bytes.

    Args:
        report: The report of a sweep that was tuned; its watermark is printed below.
        path: The file; its folder is made if need be.

    Raises:
        BadInput: If the name is of another format, the sweep was never tuned, or no trial has
            ended yet.
    """
    check_format(path)
    if (tuning := report.tuning) is None:
        raise BadInput(
            f"the sweep {report.sweep} was never tuned",
            f"tune it with `ablate tune --grid {report.sweep}`",
        )
    rows = [row for row in tuning.rows if row.best_of_k]
    if not rows:
        raise BadInput("no trial of this sweep has ended yet", "let one end first")
    # Figure without pyplot: no window, no state that outlives the call.
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    content, metadata = io.BytesIO(), _FORMATS[path.suffix.lower()]
    with rc_context(), warnings.catch_warnings():
        # A matplotlibrc of the user would change the bytes, as would a random salt.
        rcdefaults()
        rcParams["svg.hashsalt"] = "ablate"
        # Labels are literal: no formula between dollars.
        rcParams["text.parse_math"] = False
        # A label in a script that the built-in font lacks shows boxes.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.add_subplot()
        lines = [
            axes.plot(
                range(1, len(row.best_of_k) + 1),
                row.best_of_k,
                color=f"C{place % _COLOURS}",
                linestyle=_DASHES[place // _COLOURS % len(_DASHES)],
                marker="o",
                markersize=3,
            )[0]
            for place, row in enumerate(rows)
        ]
        axes.set_xlabel("k trials")
        axes.set_ylabel(f"expected best {HEADINGS[tuning.metric]} on the inner split (%)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        legend = figure.legend(lines, ["row"] * len(rows), loc="outside right upper", fontsize=8)
        for text, row in zip(legend.get_texts(), rows, strict=True):
            # Only now: a legend leaves out what begins with an underscore.
            text.set_text(row.label)
        if report.watermark:
            figure.supxlabel(report.watermark, fontsize=7, wrap=True)
        figure.savefig(content, format=path.suffix.lower()[1:], dpi=150, metadata=metadata)
    atomic.replace(path, content.getvalue())
