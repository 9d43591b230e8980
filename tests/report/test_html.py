"""The page without a browser: its structure, its texts, its values, and what it may load."""

import base64
import hashlib
import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ablate.report import PageData, Report, read_page, render, tables_of
from ablate.report.model import Row
from ablate.report.table import Table, text_cell, text_column
from ablate.report.writers import html, html_tables
from ablate.spec import Comparison
from report.panels import leave_painted_panel
from report.sweep_on_disk import SweepOnDisk

HOSTILE = "<script>alert('1')</script> & \"quotes\" </title> {{data}} \u2028"
_VOID = {"meta", "link", "input", "br", "img"}


@dataclass
class Page(HTMLParser):
    """What a parser sees: elements with their attributes, and the texts inside them."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def named(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.elements if name == tag)


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def data_of(page: Page) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(page.texts["script"][0])
    return content


def numbers(tree: Any) -> Iterator[float]:
    """Every number of a JSON tree."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from numbers(each)
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield tree


@pytest.fixture
def full(table: SweepOnDisk) -> SweepOnDisk:
    """Two seeds of three rows with panels, one of which failed."""
    table.seeds, table.names = (0, 1), ("translandseg", "translandseg-1", "translandseg-2")
    table.comparisons = (Comparison(claim="…", better="translandseg", worse=("translandseg-1",)),)
    for seed in table.seeds:
        for name, miou in (("translandseg", 0.88), ("translandseg-1", 0.84)):
            table.finish(name, seed, epochs=[miou - 0.1, miou + seed / 100], selected=2)
            leave_painted_panel(table.folder(name, seed).panels_path, "a.png")
    table.fail("translandseg-2", why="no memory")
    return table


def page_of(table: SweepOnDisk) -> str:
    report = table.report()
    return render(report, "html", read_page(report, table.store))


def test_every_table_is_there_with_every_cell(full: SweepOnDisk) -> None:
    report = full.report()
    page = parsed(page_of(full))
    cells = page.texts["td"] + page.texts["th"]
    shown = [attributes["data-table"] for attributes in page.named("table")]
    for table in tables_of(report):
        for row in table.rows:
            assert {cell.text for cell in row} <= set(cells)
        # Once: the views of the scores show the class alone.
        assert shown.count(table.name) == (table.name != "positive-class")
        if table.name == "positive-class":
            continue
        for text in (table.title or "", table.caption, *table.footnotes, *table.notes):
            assert text in " ".join(page.texts["body"])
    assert report.watermark in page.texts["p"]


def test_a_table_that_the_page_does_not_know_is_shown(
    full: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, cells = (text_column("a", "A"),), ((text_cell("cell"),),)
    titled = Table(name="new", title="New", columns=columns, rows=cells, caption="Said.")
    untitled = Table(name="newer", title=None, columns=columns, rows=cells)
    made = tables_of(full.report())
    monkeypatch.setattr(html, "tables_of", lambda _: [*made[:2], titled, untitled, *made[2:]])
    page = parsed(page_of(full))
    shown = [attributes["data-table"] for attributes in page.named("table")]
    assert shown.index("newer") == shown.index("new") + 1
    assert "New" in page.texts["h2"]
    assert "Said." in page.texts["p"]
    assert "#new" in {each["href"] for each in page.named("a")}


def test_values_stand_behind_the_cells(full: SweepOnDisk) -> None:
    page = parsed(page_of(full))
    cells = [attributes for tag in ("td", "th") for attributes in page.named(tag)]
    values = {float(each["data-value"]) for each in cells if "data-value" in each}
    for table in tables_of(full.report()):
        assert {float(c.value) for row in table.rows for c in row if c.value is not None} <= values


def test_every_number_of_the_scores_is_in_the_data(full: SweepOnDisk) -> None:
    page = parsed(page_of(full))
    known = set(numbers(data_of(page)))
    report = full.report()
    for row in report.rows:
        wanted = list(numbers(json.loads(row.model_dump_json(include={"scores"}))["scores"]))
        delta = row.delta
        wanted += [
            value
            for value in (delta and (delta.mean, delta.low, delta.high, delta.published)) or ()
            if value is not None
        ]
        derived = {score.difference for score in row.scores.values()}
        counts = {score.n for score in row.scores.values()}
        repeats = {number for run in row.repeats for number in run.repeat}
        assert {value for value in wanted if value not in derived | counts | repeats} <= known
        assert not any(math.isnan(value) for value in wanted)


def test_the_runs_of_a_number_are_in_the_data(full: SweepOnDisk) -> None:
    data = data_of(parsed(page_of(full)))
    row = data["rows"]["translandseg"]
    assert data["runColumns"][:2] == ["seed", "key"]
    assert [(run[0], run[1]) for run in row["runs"]] == [
        (str(seed), full.folder("translandseg", seed).key) for seed in (0, 1)
    ]
    assert row["scores"]["miou"]["values"] == {
        full.folder("translandseg", 0).key: pytest.approx(88),
        full.folder("translandseg", 1).key: pytest.approx(89),
    }
    assert data["rows"]["translandseg-2"]["missing"] == [
        ["seed 0", "failed", "no memory"],
        ["seed 1", "not run", ""],
    ]


def test_curves_and_panels_are_in_the_data(full: SweepOnDisk) -> None:
    data = data_of(parsed(page_of(full)))
    curve = data["curves"][0]
    assert (curve["row"], curve["n"], curve["epochs"]) == ("translandseg", 2, [1, 2])
    assert curve["miou"] == {"mean": [78.0, 88.5], "low": [78.0, 88.0], "high": [78.0, 89.0]}
    (picture,) = data["pictures"]
    assert sorted(picture["predictions"]) == ["translandseg", "translandseg-1"]


def test_a_report_alone_makes_a_page_without_curves_and_panels(report: Report) -> None:
    page = parsed(render(report, "html"))
    assert (data_of(page)["curves"], data_of(page)["pictures"]) == ([], [])
    assert "Learning curves" not in page.texts["h2"]


def test_curves_and_panels_that_cannot_be_read_leave_their_reasons_alone(report: Report) -> None:
    text = render(report, "html", PageData(curve_notes=("No curves.",), picture_notes=("None.",)))
    page = parsed(text)
    assert {"Learning curves", "Predictions"} <= set(page.texts["h2"])
    assert "No curves." in " ".join(page.texts["p"])
    plots = {each.get("data-plot") for each in page.named("div")}
    assert plots & {"val_loss", "miou"} == set()


def test_the_views_show_what_their_names_say(full: SweepOnDisk) -> None:
    page = parsed(page_of(full))
    views = [each for each in page.named("div") if each.get("class") == "view"]
    assert [(each["data-metrics"], each["data-side"]) for each in views] == [
        (metrics, side)
        for metrics in ("table", "positive")
        for side in ("both", "reproduced", "published", "difference")
    ]
    assert ["hidden" in each for each in views] == [False] + [True] * 7
    score = next(row for row in full.report().rows if row.name == "translandseg").scores["miou"]
    assert score.difference is not None
    assert f"{score.difference:+z.2f}" in page.texts["td"]


def test_without_published_values_there_is_no_choice_of_sides(full: SweepOnDisk) -> None:
    full.published = None
    page = parsed(page_of(full))
    names = {each["name"] for each in page.named("input") if each.get("type") == "radio"}
    assert names == {"theme", "metrics"}


def test_texts_are_shown_and_never_run(full: SweepOnDisk) -> None:
    variant = full.variant("translandseg").model_copy(update={"label": HOSTILE})
    full.variants["translandseg"] = variant
    full.title = HOSTILE
    for seed in full.seeds:
        full.finish("translandseg", seed)
    leave_painted_panel(full.folder("translandseg").panels_path, "<img src=x>.png")
    full.fail("translandseg-2", seed=1, why="</script><img src=x onerror=alert(1)>")
    text = page_of(full)
    page = parsed(text)
    assert len(page.texts["script"]) == 2
    assert list(page.named("img")) == []
    assert HOSTILE in page.texts["th"]
    assert page.texts["title"] == [HOSTILE]
    data = data_of(page)
    assert data["rows"]["translandseg"]["label"] == HOSTILE
    assert "<img src=x>" in {picture["name"] for picture in data["pictures"]}
    assert "</script><img src=x onerror=alert(1)>" in str(data["rows"]["translandseg-2"])


def test_nothing_but_the_pages_own_may_be_loaded_or_run(full: SweepOnDisk) -> None:
    text = page_of(full)
    page = parsed(text)
    (policy,) = (
        each["content"]
        for each in page.named("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    for rule, content in (
        ("style-src", page.texts["style"][0]),
        ("script-src", page.texts["script"][1]),
    ):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("href", "src", "action")
    ]
    assert addresses
    assert [each for each in addresses if not each.startswith(("#", "data:"))] == []
    assert not any(name.startswith("on") for _, each in page.elements for name in each)
    assert not re.search(r"\b(fetch|XMLHttpRequest|eval|innerHTML|document\.write)\b", text)


def test_every_link_and_name_has_its_target(full: SweepOnDisk) -> None:
    page = parsed(page_of(full))
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert len(ids) == len(set(ids))
    targets = {each["href"][1:] for each in page.named("a")}
    labels = {each["aria-labelledby"] for _, each in page.elements if "aria-labelledby" in each}
    assert targets | labels <= set(ids)


def test_the_same_store_gives_the_same_bytes(full: SweepOnDisk) -> None:
    assert page_of(full) == page_of(full)


def test_a_result_that_is_no_number_is_not_shown(full: SweepOnDisk) -> None:
    full.names = (*full.names, "translandseg-7")
    full.finish("translandseg-7", miou=0.8125)
    # A hand-edited result, of which JSON makes an infinity.
    result = full.folder("translandseg-7").path / "result.json"
    result.write_text(result.read_text().replace("0.8125", "1e999"))
    page = parsed(page_of(full))
    assert "inf" not in page.texts["td"]
    assert data_of(page)["rows"]["translandseg-7"]["scores"]["miou"]["mean"] is None
    assert "unreadable" in page.texts["td"]


def test_numbers_of_no_run_lead_to_none(full: SweepOnDisk) -> None:
    page = parsed(page_of(full))
    tables, linked = "", set()
    for tag, attributes in page.elements:
        tables = attributes.get("data-table", tables)
        if tag == "tbody" and "data-row" in attributes:
            linked.add(tables)
    views = {each for each in linked if each.startswith("scores-")}
    assert len(views) == 7
    assert linked - views == {"scores", "differences", "selection", "runs"}


def test_a_cut_table_says_so(full: SweepOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_tables, "LINES", 2)
    assert "The first 2 of 6 lines; the other formats have all of them." in page_of(full)


def test_ten_thousand_runs_make_a_bounded_page_in_seconds(full: SweepOnDisk) -> None:
    report = full.report()
    first, run = report.rows[0], report.provenance.runs[0]

    def row(number: int) -> Row:
        name = f"row-{number}"
        return first.model_copy(update={"name": name, "label": name, "delta": report.rows[1].delta})

    runs = [
        run.model_copy(update={"name": f"row-{number}", "label": f"row-{number}", "seed": seed})
        for number in range(5_000)
        for seed in (0, 1)
    ]
    provenance = report.provenance.model_copy(update={"runs": tuple(runs)})
    rows = tuple(row(number) for number in range(5_000))
    large = report.model_copy(update={"rows": rows, "provenance": provenance})
    start = time.monotonic()
    text = render(large, "html")
    assert time.monotonic() - start < 30
    assert len(text) < 12e6
    assert "of 5000 rows" in text
    assert len(data_of(parsed(text))["rows"]) < 1_000


def test_files_of_the_page_are_short(tmp_path: Path) -> None:
    folder = Path(html_tables.__file__).parents[1] / "page"
    for path in folder.iterdir():
        if path.is_file():
            assert len(path.read_text(encoding="utf-8").splitlines()) < 400
