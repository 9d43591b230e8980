"""HTML: one page that needs nothing but itself, neither a network nor a server.

The tables are in the page as they are; its scripts sort them, draw the figures and show where a
number comes from. A content security policy forbids every request and every script or style that
is not the page's own.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from ablate.report.model import Report
from ablate.report.page.contents import contents, left_out
from ablate.report.page.model import PageData
from ablate.report.table import Table
from ablate.report.tables import tables_of
from ablate.report.writers.html_figures import Figure, figures_of, forest_plot
from ablate.report.writers.html_tables import RowNames, literal, scores_block, table_block

_FOLDER = files("ablate.report.page")
# What an HTML parser, a script or a terminal could take for its own.
_NOT_PLAIN = re.compile("[<>&\u2028\u2029\x7f-\x9f]")
_SCRIPTS = ("page", "tables", "charts", "figures", "curves", "pictures", "provenance", "start")
_MARKER = re.compile(r"\{\{(\w+)\}\}")


def to_html(report: Report, page: PageData | None = None) -> str:
    """The whole report as one page.

    Args:
        report: The report.
        page: Its learning curves and panels; None: the page has neither.
    """
    page = page or PageData()
    tables = tables_of(report)
    sections = _sections(report, tables, page)
    style, script = _file("page.css"), "\n".join(_file(f"{name}.js") for name in _SCRIPTS)
    watermark = report.watermark
    notes = left_out(report)
    parts = {
        "policy": _policy(style, script),
        "title": literal(report.title),
        "watermark": f'<p class="watermark">{literal(watermark)}</p>' if watermark else "",
        "style": style,
        "navigation": "".join(
            f'<li><a href="#{each.name}">{literal(each.title)}</a></li>' for each in sections
        ),
        "sections": "\n".join(map(_section, sections)),
        "notes": "".join(f"<p>{literal(note)}</p>" for note in notes),
        "data": _data(contents(report, tables, page)),
        "script": script,
    }
    # In one go: what stands in a part is never taken for a marker.
    return _MARKER.sub(lambda marker: parts[marker[1]], _file("template.html"))


def _sections(report: Report, tables: Iterable[Table], page: PageData) -> list[Figure]:
    """The sections in the order of the page: tables, and the figures before the provenance."""
    rows, sections = RowNames(report), list[Figure]()
    for table in tables:
        # The views of the scores show it.
        if table.name == "positive-class":
            continue
        if table.name == "runs":
            sections += figures_of(report, page)
        block = scores_block if table.name == "scores" else table_block
        content = block(report, table, rows)
        if table.name == "differences":
            content = forest_plot(report) + content
        if table.title is None and sections:
            sections[-1] = sections[-1].with_more(content)
        else:
            sections.append(Figure(table.name, table.title or report.title, content))
    return sections


def _section(section: Figure) -> str:
    title = f"{section.name}-title"
    return (
        f'<section id="{literal(section.name)}" aria-labelledby="{literal(title)}">'
        f'<h2 id="{literal(title)}">{literal(section.title)}</h2>\n{section.content}\n</section>'
    )


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, sent or run but the page's own style, scripts and pictures."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _data(values: Any) -> str:
    """JSON that no HTML parser takes for markup, whatever texts it holds."""
    text = json.dumps(_finite(values), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _NOT_PLAIN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _finite(tree: Any) -> Any:
    """The same without NaN and infinities, which JSON lacks: a hand-edited result may hold them."""
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _file(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8").strip("\n")
