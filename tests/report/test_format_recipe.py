"""The recipe of CONTRIBUTING.md: a format of a report, added from outside the package."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.report import WRITERS, Report, render, suffix_of, tables_of, write_report

# A writer prints cells: nothing in it knows a metric, a verdict or a reason.
WRITER = """\
from ablate.report import Report, tables_of


def to_wiki(report: Report) -> str:
    lines = [f"= {report.title} ="]
    for table in tables_of(report):
        if table.title:
            lines.append(f"== {table.title} ==")
        lines.append("!! " + " !! ".join(column.heading for column in table.columns))
        lines += ["|| " + " || ".join(cell.text for cell in row) for row in table.rows]
        lines += [table.caption, *table.footnotes, *table.notes]
    return "\\n".join(lines)
"""


@pytest.fixture
def wiki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of the user's own, and its line in the dict of writers."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "my_wiki_writer.py").write_text(WRITER)
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    monkeypatch.setitem(WRITERS, "wiki", "my_wiki_writer:to_wiki")
    yield "wiki"
    sys.modules.pop("my_wiki_writer", None)


def test_a_format_is_one_file_and_one_line(wiki: str, report: Report, tmp_path: Path) -> None:
    text = render(report, wiki)
    assert text.startswith("= Table IV: ten structures =\n")
    assert "|| TransLandSeg-1 || c×3 || ✓ || ✓ || reproduced || " in text
    assert "Failed (no memory): TransLandSeg-2." in text
    for table in tables_of(report):
        assert table.caption in text
    write_report(report, wiki, tmp_path / f"table4{suffix_of(wiki)}")
    assert (tmp_path / "table4.wiki").read_text(encoding="utf-8") == text
