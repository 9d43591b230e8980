"""The LaTeX document: what TeX would take for its own, and the compiled page."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ablate.report import Report, render
from ablate.report.table import Table, number_cell, number_column, text_cell, text_column
from ablate.report.tables import tables_of
from ablate.report.writers import latex


def with_label(report: Report, label: str) -> Report:
    first, *others = report.rows
    rows = (first.model_copy(update={"label": label}), *others)
    return report.model_copy(update={"rows": rows, "title": label})


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (r"50 % of a_b & c#1 {x} $y$ \z", r"50 \% of a\_b \& c\#1 \{x\} \$y\$ \textbackslash{}z"),
        ("m×2 ± 0.1 → ✓", r"m$\times$2 $\pm$ 0.1 $\to$ \checkmark{}"),
        ("Δ Θ τ-b 10⁶", r"$\Delta$ $\Theta$ $\tau$-b 10\textsuperscript{6}"),
        ("Gliña, Öre, Łódź", r"Gli\~{n}a, \"{O}re, \L{}\'{o}d\'{z}"),
        ("滑坡", "[U+6ED1][U+5761]"),
        ("a\nb", "a b"),
    ],
)
def test_text_is_shown_as_it_is(report: Report, text: str, printed: str) -> None:
    assert f"\\section*{{{printed}}}" in render(with_label(report, text), "latex")


def test_the_document_is_ascii_and_has_every_table(report: Report) -> None:
    document = render(report, "latex")
    assert document.isascii()
    names = [table.name for table in tables_of(report)]
    assert re.findall(r"^% (.*)$", document, flags=re.MULTILINE) == names
    assert document.count(r"\toprule") == 2 * document.count(r"\bottomrule") == 2 * len(names)


def test_a_difference_has_a_minus_and_a_name_its_hyphen(report: Report) -> None:
    document = render(report, "latex")
    assert "TransLandSeg-3" in document
    assert "TransLandSeg$-$3" not in document
    assert re.search(r"& \$-\$\d", document)


def test_a_missing_number_says_why_and_the_watermark_stands_on_top(report: Report) -> None:
    document = render(report, "latex")
    assert r"\textit{failed}" in document
    assert r"\textit{not reported}" in document
    assert document.index(r"\textbf{demo: ") < document.index("% scores")


@pytest.mark.parametrize(
    ("columns", "length", "size"), [(4, 10, "small"), (10, 14, "footnotesize"), (20, 14, "tiny")]
)
def test_wide_tables_are_set_smaller(columns: int, length: int, size: str) -> None:
    table = Table(
        name="wide",
        title=None,
        columns=tuple(text_column(str(index), "x") for index in range(columns)),
        rows=(tuple(text_cell("y" * length) for _ in range(columns)),),
    )
    assert latex._size(table) == size


def test_a_long_cell_is_broken_into_lines() -> None:
    table = Table(
        name="notes",
        title=None,
        columns=(number_column("n", "n"), text_column("note", "note")),
        rows=((number_cell(1), text_cell("long " * 20)),),
    )
    number, note = latex._column_types(table)
    assert number == "r"
    assert r"p{0.25\linewidth}" in note


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="TeX is not installed")
@pytest.mark.parametrize("label", ["TransLandSeg-1", r"100 % of \x_{1} & <y> ~ ^ 滑坡 é Łß “q”"])
def test_it_compiles_as_it_is(report: Report, tmp_path: Path, label: str) -> None:
    (tmp_path / "table4.tex").write_text(
        render(with_label(report, label), "latex"), encoding="utf-8"
    )
    for _ in range(2):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table4.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "table4.pdf").stat().st_size > 10_000
    too_wide = [
        float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)
    ]
    assert max(too_wide, default=0) < 10, done.stdout
