"""The page in a real browser, opened from disk."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate.registry import Catalogue
from ablate.report import Report, read_page, write_report
from ablate.spec import Comparison
from chromium import Chromium
from report.panels import leave_painted_panel
from report.sweep_on_disk import SweepOnDisk, five_systems, mixed_report

pytestmark = pytest.mark.browser

DESKTOP, PHONE = (1280, 900), (390, 844)
LONG_LABEL = "L" * 90
ROWS = {"translandseg": 0.88, "translandseg-1": 0.84, "translandseg-7": 0.71}
LABELS = """[...document.querySelectorAll(".view:not([hidden]) tbody th")]
    .map((each) => each.textContent)"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    binary = shutil.which("chromium")
    if binary is None:
        pytest.skip("there is no chromium on PATH")
    with Chromium(binary, tmp_path_factory.mktemp("profile"), DESKTOP) as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two seeds of three rows, one that failed, and panels."""
    folder = tmp_path_factory.mktemp("page")
    table = SweepOnDisk(folder / "store", Catalogue().protocol("demo"))
    table.seeds, table.names = (0, 1), (*ROWS, "translandseg-2")
    table.comparisons = (Comparison(claim="…", better="translandseg", worse=("translandseg-1",)),)
    failed = table.variant("translandseg-2").model_copy(update={"label": LONG_LABEL})
    table.variants["translandseg-2"] = failed
    for seed in table.seeds:
        for name, miou in ROWS.items():
            table.finish(name, seed, epochs=[miou - 0.1, miou + seed / 100], selected=2)
            leave_painted_panel(table.folder(name, seed).panels_path, "a.png")
    table.fail("translandseg-2", why="<script>no memory</script>")
    report = table.report()
    write_report(report, "html", folder / "page.html", read_page(report, table.store))
    return folder / "page.html"


@pytest.fixture
def opened(browser: Chromium, file: Path) -> Iterator[Chromium]:
    """The page as it is when it has just been opened; the test is to leave no complaint."""
    browser.resize(*DESKTOP)
    browser.prefer("light")
    browser.requested.clear()
    browser.complaints.clear()
    browser.visit(file.as_uri())
    yield browser
    assert browser.complaints == []
    outside = [url for url in browser.requested if not url.startswith(("file:", "data:"))]
    assert outside == []


@pytest.fixture
def ask(opened: Chromium) -> Callable[[str], Any]:
    return opened.evaluate


Ask = Callable[[str], Any]


def click(ask: Ask, selector: str) -> None:
    ask(f"document.querySelector({selector!r}).click()")


def nothing_run(table: SweepOnDisk) -> Report:
    return table.report()


def without_baseline(table: SweepOnDisk) -> Report:
    table.baseline = table.published = None
    table.finish("translandseg", epochs=[0.8], selected=1)
    return table.report()


@pytest.mark.parametrize("make", [nothing_run, without_baseline, mixed_report, five_systems])
def test_no_report_makes_the_page_complain(
    browser: Chromium, table: SweepOnDisk, tmp_path: Path, make: Callable[[SweepOnDisk], Report]
) -> None:
    report = make(table)
    page = read_page(report, table.store)
    write_report(report, "html", tmp_path / "page.html", page)
    browser.complaints.clear()
    browser.resize(*PHONE, is_phone=True)
    browser.visit((tmp_path / "page.html").as_uri())
    assert browser.complaints == []
    assert browser.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    plots = "[...document.querySelectorAll('.plot')].filter((each) => !each.firstChild).length"
    assert browser.evaluate(plots) == 0


def test_headings_sort_by_the_values(ask: Ask) -> None:
    labels = ["TransLandSeg", "TransLandSeg-1", "TransLandSeg-7", LONG_LABEL]
    assert ask(LABELS) == labels
    head = '.view:not([hidden]) th[data-key="miou"]'
    sort = f"document.querySelector({head!r}).getAttribute('aria-sort')"
    assert ask(sort) == "none"
    click(ask, f"{head} button")
    # By what was reproduced; the row without a result stands by its published value.
    assert ask(sort) == "ascending"
    ascending = ask(LABELS)
    assert [each for each in ascending if each != labels[3]] == [labels[2], labels[1], labels[0]]
    click(ask, f"{head} button")
    assert (ask(sort), ask(LABELS)) == ("descending", ascending[::-1])
    click(ask, f"{head} button")
    assert (ask(sort), ask(LABELS)) == ("none", labels)


def test_the_lines_of_a_row_stay_together(ask: Ask) -> None:
    click(ask, '.view:not([hidden]) th[data-key="miou"] button')
    lines = ask(
        """[...document.querySelectorAll(".view:not([hidden]) tbody")]
        .map((body) => [...body.rows].map((row) => row.cells[4].textContent).join())"""
    )
    assert lines == ["reproduced,published"] * 4


def test_switches_choose_the_view(ask: Ask) -> None:
    shown = """(() => { const view = [...document.querySelectorAll(".view")]
        .filter((each) => !each.hidden); return view.length === 1
        && [view[0].dataset.metrics, view[0].dataset.side].join(); })()"""
    assert ask(shown) == "table,both"
    click(ask, 'input[name="metrics"][value="positive"]')
    assert ask(shown) == "positive,both"
    click(ask, 'input[name="side"][value="difference"]')
    assert ask(shown) == "positive,difference"


def test_figures_are_drawn(ask: Ask) -> None:
    count = "document.querySelectorAll({!r}).length"
    assert ask(count.format('[data-plot="forest"] [role="button"]')) == 3
    # The failed row has a published difference alone.
    assert ask(count.format('[data-plot="forest"] .filled')) == 2
    assert ask(count.format('[data-plot="forest"] .hollow')) == 3
    assert ask(count.format('[data-plot="scatter"] .filled')) == 3
    # Nothing here is comparable with the published numbers of parameters.
    assert ask(count.format('[data-plot="scatter"] .hollow')) == 0
    assert ask(count.format('[data-plot="miou"] .curve')) == 3
    assert ask(count.format(".tile")) == 2 + 3
    click(ask, '.chooser[data-for="curves"] input[value="translandseg"]')
    assert ask(count.format('[data-plot="miou"] .curve')) == 2
    click(ask, '.chooser[data-for="pictures"] input[value="translandseg"]')
    assert ask(count.format(".tile")) == 2 + 2


@pytest.fixture(scope="module")
def split_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two rows on two splits, comparable with what is published, and one of one seed."""
    folder = tmp_path_factory.mktemp("splits")
    table = SweepOnDisk(folder / "store", Catalogue().protocol("demo"))
    table.make_comparable()
    table.names, table.splits = ("translandseg", "translandseg-1"), (0, 1)
    for split in table.splits:
        table.finish("translandseg", miou=0.88, split=split)
    table.finish("translandseg-1", miou=0.84)
    report = table.report()
    write_report(report, "html", folder / "page.html", read_page(report, table.store))
    return folder / "page.html"


def test_splits_intervals_of_images_and_published_points(
    browser: Chromium, split_file: Path
) -> None:
    browser.complaints.clear()
    browser.resize(*DESKTOP)
    browser.visit(split_file.as_uri())
    count = "document.querySelectorAll({!r}).length"
    # One repeat in common: the interval is blind to other trainings, and dashed.
    dashed = '[data-plot="forest"] .whisker[stroke-dasharray]'
    assert browser.evaluate(count.format(dashed)) == 1
    assert browser.evaluate(count.format('[data-plot="scatter"] .hollow')) == 1
    # Ticks of an axis whose values are nearly equal do not run into each other.
    ticks = """[...document.querySelectorAll('[data-plot="scatter"] .tick[text-anchor="middle"]')]
        .map((each) => each.getBoundingClientRect()).map((box) => [box.left, box.right])"""
    boxes = sorted(browser.evaluate(ticks))
    assert len(boxes) > 1
    assert all(one[1] < next_[0] for one, next_ in itertools.pairwise(boxes))
    click(browser.evaluate, 'tbody[data-row="translandseg-1"] th button')
    shown = browser.evaluate("document.querySelector('dialog').innerText")
    assert "split 1: seed 0" in shown
    heads = "[...document.querySelectorAll('dialog thead th')].map((each) => each.textContent)"
    assert browser.evaluate(heads)[:3] == ["split", "seed", "key"]
    assert browser.complaints == []


def test_pictures_are_shown(ask: Ask) -> None:
    ask("document.querySelector('.pictures').scrollIntoView()")
    widths = ask("[...document.querySelectorAll('.tile img')].map((each) => each.naturalWidth)")
    assert set(widths) == {64}


def test_the_provenance_of_a_number_is_shown(ask: Ask, opened: Chromium) -> None:
    is_open = "document.querySelector('dialog').open"
    click(ask, '.view:not([hidden]) tbody[data-row="translandseg"] td.number ~ td.number button')
    assert ask(is_open) is True
    assert ask("document.querySelector('dialog h2').textContent") == "TransLandSeg: P"
    assert ask("document.querySelectorAll('dialog tbody').length") == 2
    opened.press("Escape")
    assert ask(is_open) is False
    click(ask, '.view:not([hidden]) tbody[data-row="translandseg-2"] th button')
    assert "failed: <script>no memory</script>" in ask("document.querySelector('dialog').innerText")


def test_the_keyboard_reaches_everything(ask: Ask, opened: Chromium) -> None:
    focused = "document.activeElement.textContent"
    opened.press("Tab")
    assert ask(focused) == "Skip to the tables"
    ask("document.querySelector('.view:not([hidden]) thead th button').focus()")
    assert ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    opened.press("Enter")
    assert ask("document.activeElement.parentElement.getAttribute('aria-sort')") == "ascending"
    opened.press("Enter", "Enter")
    ask("document.querySelector('.view:not([hidden]) tbody th button').focus()")
    opened.press("ArrowRight")
    # Cells that are no numbers are passed over.
    assert ask(focused) == "2"
    opened.press("ArrowDown", "ArrowLeft", "Enter")
    assert ask("document.querySelector('dialog').open") is True
    opened.press("Escape")
    ask("""document.querySelector('[data-plot="forest"] [tabindex="0"]').focus()""")
    opened.press("ArrowDown", "ArrowDown")
    assert ask("document.activeElement.getAttribute('aria-label')").startswith(LONG_LABEL)
    opened.press("Enter")
    assert ask("document.querySelector('dialog h2').textContent") == f"{LONG_LABEL}: MIoU"
    opened.press("Escape")
    ask("""document.querySelector('[data-plot="miou"] svg').focus()""")
    opened.press("ArrowRight", "ArrowRight")
    readout = "document.activeElement.closest('section').querySelector('.readout').textContent"
    assert ask(readout).startswith("epoch 2, MIoU (%): TransLandSeg 88.50")


def test_a_phone_shows_no_wider_page(ask: Ask, opened: Chromium) -> None:
    opened.resize(*PHONE, is_phone=True)
    width = "document.documentElement.scrollWidth"
    assert ask(width) == PHONE[0]
    assert ask("document.querySelector('.frame').scrollWidth > 390") is True
    click(ask, ".view:not([hidden]) tbody td.number button")
    assert ask("document.querySelector('dialog').getBoundingClientRect().right <= 390") is True


def test_light_and_dark(ask: Ask, opened: Chromium) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = ask(colour)
    opened.prefer("dark")
    dark = ask(colour)
    assert light != dark
    click(ask, '#theme input[value="light"]')
    assert ask(colour) == light
    opened.prefer("light")
    click(ask, '#theme input[value="dark"]')
    assert ask(colour) == dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(ask: Ask, opened: Chromium, scheme: str) -> None:
    """Contrast of at least 4.5 to 1, as WCAG 2 asks for text (1.4.3)."""
    opened.prefer(scheme)
    colours = ask(
        """["--ink", "--soft", "--accent"].flatMap((name) => ["--paper", "--surface"].map((under) =>
        { const probe = document.createElement("i"); document.body.append(probe);
          probe.style.color = `var(${name})`; probe.style.backgroundColor = `var(${under})`;
          const style = getComputedStyle(probe);
          return [style.color, style.backgroundColor]; }))"""
    )
    for pair in colours:
        lighter, darker = sorted(map(luminance, pair), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, pair


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(r, g, b)`` (WCAG 2)."""
    values = [int(each) / 255 for each in colour.removeprefix("rgb(").removesuffix(")").split(", ")]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in values
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_print_leaves_out_what_is_for_screens(ask: Ask, opened: Chromium) -> None:
    opened.prefer("dark", media="print")
    style = "getComputedStyle(document.querySelector({!r})).{}"
    assert ask(style.format("nav", "display")) == "none"
    assert ask(style.format(".switches", "display")) == "none"
    assert ask(style.format(".frame", "overflow")) == "visible"
    assert ask(style.format("body", "color")) == "rgb(27, 31, 36)"
    opened.prefer("light")


def test_what_is_put_into_the_page_later_neither_runs_nor_loads(ask: Ask, opened: Chromium) -> None:
    """The policy of the page holds against what its own texts might become."""
    ask(
        """document.body.insertAdjacentHTML("beforeend",
        '<img src="https://example.org/a.png" onerror="window.ran = 1">')"""
    )
    ask("new Promise((done) => setTimeout(done, 300))")
    assert ask("window.ran") is None
    assert any("Content Security Policy" in each for each in opened.complaints)
    opened.complaints.clear()
    opened.requested[:] = [url for url in opened.requested if "example.org" not in url]
