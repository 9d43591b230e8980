"""What all figures share: print size, type, colours and bytes that depend on the report alone.

The colours are those of Okabe and Ito (2008), "Color Universal Design": colour-blind readers tell
them apart. What colours tell, shapes or dashes tell too, so that a print in grey is legible.
"""

import io
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ablate.report.model import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# One column and two columns of a journal's page, and the height that a page leaves for figures.
ONE_COLUMN_MM, TWO_COLUMNS_MM, PAGE_MM = 88.0, 180.0, 240.0
PNG_DPI = 300
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
INK, SOFT, GRID = "#1A1A1A", "#5A5A5A", "#D0D0D0"
# What is reproduced is filled, what is published is hollow.
FILLED: dict[str, Any] = {"color": BLUE, "marker": "o", "markersize": 4.5, "linestyle": "none"}
HOLLOW: dict[str, Any] = {
    "color": VERMILION,
    "marker": "D",
    "markersize": 4.5,
    "markerfacecolor": "white",
    "markeredgewidth": 1.1,
    "linestyle": "none",
}
# Neighbours differ in lightness. Where the colours begin anew, the dashes change.
_LINES = (BLACK, VERMILION, BLUE, ORANGE, GREEN, PURPLE, SKY)
_DASHES = ("-", "--", ":", "-.")
_MARKERS = "osD^vPX"
# A letter of 7 pt is about this wide.
_LETTER_MM = 1.3
_MM_PER_INCH = 25.4
_METADATA: Mapping[str, dict[str, Any]] = {
    # No date and no version of a program, which would change the bytes.
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}
_TYPE: Any = {
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.4,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    # Labels are literal: no formula between dollars.
    "text.parse_math": False,
    # Letters as outlines: no reader needs the font. Names of parts do not depend on chance.
    "svg.fonttype": "path",
    "svg.hashsalt": "ablate",
}

Format = Literal["png", "svg"]


@dataclass(frozen=True)
class Sheet:
    """A drawn figure; ``sheet_of`` makes it.

    Attributes:
        name: What its files are called, without their ending.
        title: What it shows, for readers who cannot see it.
        figure: Matplotlib's figure.
        formats: Which files it has; pictures have no SVG.
    """

    name: str
    title: str
    figure: "Figure"
    formats: tuple[Format, ...]


@dataclass(frozen=True)
class LeftOut:
    """Why there is no figure: a part of a sentence."""

    reason: str


@contextmanager
def house_style() -> Iterator[None]:
    """Within it figures look alike, whatever a user's matplotlibrc says."""
    from matplotlib import rc_context, rcdefaults, rcParams

    with rc_context(), warnings.catch_warnings():
        rcdefaults()
        rcParams.update(_TYPE)
        # A label in a script that the built-in font lacks shows boxes.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        yield


def new_figure(width_mm: float, height_mm: float) -> "Figure":
    """An empty figure of a printed size; without pyplot, so without a state that outlives it."""
    from matplotlib.figure import Figure

    size = (width_mm / _MM_PER_INCH, min(height_mm, PAGE_MM) / _MM_PER_INCH)
    return Figure(figsize=size, layout="constrained")


def sheet_of(
    report: Report,
    name: str,
    words: str,
    figure: "Figure",
    notes: Sequence[str] = (),
    formats: tuple[Format, ...] = ("png", "svg"),
) -> Sheet:
    """Writes below a figure what there is to say of it: the report's watermark, and notes.

    Args:
        report: What it is drawn from.
        name: What its files are called, without their ending.
        words: What it shows.
        figure: The figure, whole but for that.
        notes: Sentences, each by itself.
        formats: Which files it has.
    """
    lines = [line for line in (report.watermark, *notes) if line]
    letters = letters_in(figure.get_figwidth() * _MM_PER_INCH)
    if lines:
        text = "\n".join(part for line in lines for part in textwrap.wrap(line, letters))
        figure.supxlabel(text, fontsize=7, color=SOFT)
    settle(figure)
    return Sheet(name, f"{report.title}: {words}", figure, formats)


def settle(figure: "Figure") -> None:
    """Lays a figure out once: every file of it has the same layout, and many plots take seconds."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def encoded(sheet: Sheet) -> dict[str, bytes]:
    """The files of a sheet by name: equal sheets give equal bytes."""
    files = {}
    for kind in sheet.formats:
        content = io.BytesIO()
        metadata = _METADATA[kind] | {"Title": sheet.title}
        sheet.figure.savefig(content, format=kind, dpi=PNG_DPI, metadata=metadata)
        files[f"{sheet.name}.{kind}"] = content.getvalue()
    return files


def line_style(place: int) -> dict[str, Any]:
    """Colour, dashes and marker of the line at this place."""
    return {
        "color": _LINES[place % len(_LINES)],
        "linestyle": _DASHES[place // len(_LINES) % len(_DASHES)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "markersize": 2.8,
    }


def legend_above(
    figure: "Figure", entries: Sequence[tuple[Any, str]], columns: int | None = None
) -> None:
    """A legend over the whole figure; its labels are literal, whatever they begin with."""
    handles = [handle for handle, _ in entries]
    legend = figure.legend(
        handles,
        ["entry"] * len(entries),
        loc="outside upper left",
        ncols=columns or len(entries),
        handletextpad=0.5,
        columnspacing=1.2,
        borderaxespad=0.2,
    )
    # Only now: a legend leaves out what begins with an underscore.
    for text, (_, label) in zip(legend.get_texts(), entries, strict=True):
        text.set_text(label)


def shortened(text: str, most: int) -> str:
    """The text in one line, cut where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def letters_in(width_mm: float) -> int:
    """How many letters of 7 pt fit."""
    return max(4, int(width_mm / _LETTER_MM))
