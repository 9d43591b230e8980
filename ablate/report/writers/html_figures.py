"""The frames of a page's figures and their words; the page's scripts draw them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ablate.report.difference_tables import IMAGES_ONLY, interval_sentences
from ablate.report.model import Report
from ablate.report.page.model import PageData
from ablate.report.plotted import plotted_parameters
from ablate.report.score_cells import repeats_word
from ablate.report.table import caption_of
from ablate.report.writers.html_tables import literal


@dataclass(frozen=True)
class Figure:
    """A section of the page: its name, its title and its content as HTML."""

    name: str
    title: str
    content: str

    def with_more(self, content: str) -> "Figure":
        """The same section, longer."""
        return replace(self, content=self.content + content)


def figures_of(report: Report, page: PageData) -> list[Figure]:
    """Parameters against MIoU, learning curves and predictions, those that there are."""
    figures = []
    if plotted_parameters(report).reproduced:
        figures.append(
            Figure("figure-parameters", "Trained parameters against MIoU", _scatter(report))
        )
    if page.curves or page.curve_notes:
        figures.append(Figure("figure-curves", "Learning curves", _curves(report, page)))
    if page.pictures or page.picture_notes:
        figures.append(Figure("figure-predictions", "Predictions", _pictures(report, page)))
    return figures


def forest_plot(report: Report) -> str:
    """The differences to the baseline."""
    labels = {row.name: row.label for row in report.rows}
    baseline = labels.get(str(report.baseline), str(report.baseline))
    legend = {"filled": "reproduced, 95 % interval"}
    deltas = [row.delta for row in report.rows if row.delta]
    if any(each.method == "images" for each in deltas):
        legend["dashed"] = f"interval of {IMAGES_ONLY}"
    if any(each.published is not None for each in deltas):
        legend["hollow"] = "published (not comparable)" if report.watermark else "published"
    return _figure(
        "forest",
        f"MIoU minus that of {baseline} (percentage points)",
        caption_of(report.watermark, f"Each row against {baseline}.", *interval_sentences(report)),
        legend,
    )


def _scatter(report: Report) -> str:
    plotted = plotted_parameters(report)
    legend = {"filled": "reproduced, ± standard deviation over repeats"}
    if plotted.published:
        legend["hollow"] = "published, where the paper prints both numbers"
    return _figure(
        "scatter",
        "trained parameters (logarithmic)|MIoU (%)",
        caption_of(report.watermark, *plotted.notes),
        legend,
    )


def _curves(report: Report, page: PageData) -> str:
    several = any(curve.n > 1 for curve in page.curves)
    words = f"Lines: the mean over {repeats_word(report)}; bands: from the lowest to the highest."
    caption = _words(caption_of(report.watermark, several and words), page.curve_notes)
    if not page.curves:
        return caption
    return (
        f'{_chooser("curves")}<div class="pair">'
        f"{_plot('val_loss', 'epoch|validation loss')}{_plot('miou', 'epoch|MIoU (%)')}</div>"
        f'<p class="readout" aria-live="polite"></p>{caption}'
    )


def _pictures(report: Report, page: PageData) -> str:
    caption = _words(caption_of(report.watermark), page.picture_notes)
    if not page.pictures:
        return caption
    positive = literal(report.positive_class)
    return (
        f"{_chooser('pictures')}"
        f'<ul class="legend"><li><i class="found"></i>{positive} found</li>'
        '<li><i class="alarm"></i>false alarm</li>'
        f'<li><i class="missed"></i>{positive} missed</li>'
        '<li><label><input type="checkbox" id="over-image" checked> over the image</label></li>'
        f'</ul><div class="pictures"></div>{caption}'
    )


def _chooser(name: str) -> str:
    return f'<fieldset class="chooser" data-for="{name}"><legend>Rows</legend></fieldset>'


def _figure(name: str, axes: str, caption: str, legend: dict[str, str]) -> str:
    signs = "".join(
        f'<li><i class="{sign}"></i>{literal(text)}</li>' for sign, text in legend.items()
    )
    return (
        f'<figure><ul class="legend">{signs}</ul>{_plot(name, axes)}'
        f'<p class="readout" aria-live="polite"></p>{_words(caption, ())}</figure>'
    )


def _plot(name: str, axes: str) -> str:
    return f'<div class="plot" data-plot="{name}" data-axes="{literal(axes)}"></div>'


def _words(caption: str, notes: Iterable[str]) -> str:
    text = " ".join([*([caption] if caption else []), *notes])
    return f'<p class="caption">{literal(text)}</p>' if text else ""
