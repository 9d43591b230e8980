"""LaTeX: a document that compiles as it is, with tables that can be pasted into a paper.

The text is pure ASCII and needs booktabs, longtable, array, geometry and amssymb alone, which every
TeX distribution has.
"""

import re
import unicodedata
from collections.abc import Sequence

from ablate.report.model import Report
from ablate.report.table import Table, TableCell
from ablate.report.tables import tables_of
from ablate.runs import shown

_DOCUMENT = r"""\documentclass[10pt]{article}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
\usepackage{amssymb,array,booktabs,longtable}
\setlength{\parindent}{0pt}
\renewcommand{\labelitemi}{$\bullet$}
\begin{document}
\setlength{\LTcapwidth}{\linewidth}
\section*{%(title)s}
%(watermark)s%(tables)s
\end{document}
"""

# What a character is in text; names of commands end with {} so that a space after them stays.
_CHARACTERS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': "''",
    "±": r"$\pm$",
    "×": r"$\times$",
    "÷": r"$\div$",
    "·": r"$\cdot$",
    "°": r"$^{\circ}$",
    "µ": r"$\mu$",
    "−": "$-$",
    "…": r"\dots{}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "•": r"$\bullet$",
    "✓": r"\checkmark{}",
    "→": r"$\to$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "∞": r"$\infty$",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "\u00a0": "~",
} | {each: f"\\{each}" for each in "&%$#_{}"}
# TeX's accents by Unicode's combining marks.
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
    "\u0328": "k",
}
# How the name of a character begins that TeX's standard fonts lack.
_NAMED = "[U+"
# A hyphen is shorter than a minus.
_MINUS = re.compile(r"(?<!\w)-(?=\d)")
# Greek letters that look like Latin ones have no command.
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)")
_GREEK_CAPITALS = ("gamma", "delta", "theta", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
_GREEK_SMALL = (
    *("alpha", "beta", "epsilon", "zeta", "eta", "iota", "kappa", "mu", "nu", "rho", "tau", "chi"),
    *_GREEK_CAPITALS,
)

# A column with a longer cell is broken into lines.
_LONGEST_CELL = 44
# The share of the page's width that such a column gets.
_BROKEN_SHARE = 0.25
# Size of the font → about how many characters fit beside each other on the page.
_SIZES = {"small": 165, "footnotesize": 185, "scriptsize": 210}
_SMALLEST = "tiny"
# The gap between two columns, in characters.
_GAP = 3
# TeX breaks no word without a hyphen; digests and file names would run out of the page.
_LONGEST_WORD = 44


def to_latex(report: Report) -> str:
    """The whole report as one document."""
    watermark = f"\\textbf{{{_literal(report.watermark)}}}\n\n" if report.watermark else ""
    tables = "\n".join(_block(table) for table in tables_of(report))
    return _DOCUMENT % {
        "title": _literal(report.title),
        "watermark": watermark,
        "tables": tables,
    }


def _block(table: Table) -> str:
    """A table with its caption above, its footnotes and its notes below."""
    title = f"\\textbf{{{_literal(table.title)}.}} " if table.title else ""
    header = " & ".join(_literal(column.heading) for column in table.columns)
    lines = [
        f"% {table.name}",
        f"\\begingroup\\{_size(table)}",
        f"\\begin{{longtable}}{{@{{}}{''.join(_column_types(table))}@{{}}}}",
        f"\\caption{{{title}{_literal(table.caption)}}}\\\\",
        f"\\toprule\n{header} \\\\\n\\midrule\n\\endfirsthead",
        f"\\toprule\n{header} \\\\\n\\midrule\n\\endhead",
        *_rows(table),
        "\\bottomrule",
        "\\end{longtable}",
        *(
            f"{_mark(number)}~{_literal(text)}\\par"
            for number, text in enumerate(table.footnotes, start=1)
        ),
        *_list(table.notes),
        "\\endgroup\n",
    ]
    return "\n".join(lines)


def _rows(table: Table) -> list[str]:
    """The rows; where some continue the one above, those that do not stand a little apart."""
    continues = [row[0].kind == "blank" for row in table.rows]
    lines = []
    for number, row in enumerate(table.rows):
        if number and any(continues) and not continues[number]:
            lines.append("\\addlinespace")
        lines.append(f"{' & '.join(map(_cell, row))} \\\\")
    return lines


def _list(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    items = (f"\\item {_literal(note)}" for note in notes)
    return ["\\begin{itemize}", *items, "\\end{itemize}"]


def _cell(cell: TableCell) -> str:
    text = _MINUS.sub("$-$", _literal(cell.text))
    if cell.kind == "missing":
        text = f"\\textit{{{text}}}"
    if cell.is_bold:
        text = f"\\textbf{{{text}}}"
    return text + (_mark(cell.footnote) if cell.footnote else "")


def _mark(footnote: int) -> str:
    return f"\\textsuperscript{{{footnote}}}"


# Widths -----------------------------------------------------------------------------------------


def _lengths(table: Table) -> list[int]:
    """The longest text of each column, in characters."""
    rows = [[cell.text for cell in row] for row in table.rows]
    columns = zip([column.heading for column in table.columns], *rows, strict=True)
    return [max(map(_length, texts)) for texts in columns]


def _length(text: str) -> int:
    """How many characters are printed."""
    named = [each for each in map(_character, text) if each.startswith(_NAMED)]
    return len(text) - len(named) + sum(map(len, named))


def _column_types(table: Table) -> list[str]:
    broken = f">{{\\raggedright\\arraybackslash}}p{{{_BROKEN_SHARE}\\linewidth}}"
    return [
        broken if length > _LONGEST_CELL else column.alignment[0]
        for column, length in zip(table.columns, _lengths(table), strict=True)
    ]


def _size(table: Table) -> str:
    """The largest size of the font at which the table is not wider than the page."""
    lengths = _lengths(table)
    narrow = [length for length in lengths if length <= _LONGEST_CELL]
    width = sum(narrow) + _GAP * len(lengths)
    free = 1 - _BROKEN_SHARE * (len(lengths) - len(narrow))
    return next((size for size, fit in _SIZES.items() if width <= free * fit), _SMALLEST)


# Characters -------------------------------------------------------------------------------------


def _literal(text: str) -> str:
    """Text that is shown as it is, in one line."""
    return " ".join(_breakable(word) for word in shown(" ".join(text.split())).split())


def _breakable(word: str) -> str:
    pieces = [word]
    if len(word) > _LONGEST_WORD:
        pieces = [word[first : first + 8] for first in range(0, len(word), 8)]
    return "\\allowbreak{}".join("".join(map(_character, piece)) for piece in pieces)


def _character(character: str) -> str:
    """One character in ASCII; one that TeX's standard fonts lack is named by its number."""
    if character in _CHARACTERS:
        return _CHARACTERS[character]
    if character.isascii():
        return character
    decomposed = unicodedata.normalize("NFKD", character)
    if len(decomposed) == 2 and decomposed[0].isascii() and decomposed[1] in _ACCENTS:
        return f"\\{_ACCENTS[decomposed[1]]}{{{decomposed[0]}}}"
    if decomposed.isascii() and "SUPERSCRIPT" in unicodedata.name(character, ""):
        return f"\\textsuperscript{{{decomposed}}}"
    if greek := _GREEK.fullmatch(unicodedata.name(character, "")):
        case, letter = greek[1], greek[2].lower()
        if case == "SMALL" and letter in _GREEK_SMALL:
            return f"$\\{letter}$"
        if case == "CAPITAL" and letter in _GREEK_CAPITALS:
            return f"$\\{letter.capitalize()}$"
    return f"{_NAMED}{ord(character):04X}]"
