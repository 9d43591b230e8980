"""What there is to say of the comparison of rows: which is best, and what it is judged on."""

from collections.abc import Sequence

from ablate.report.model import Report

# Below these numbers intervals hold the truth less often than they say: docs/statistics.md.
FEW_IMAGES = 50
FEW_WITH_POSITIVES = 20

# Beyond these, labels are counted.
_MOST_LABELS = 6


def comparison_notes(report: Report) -> list[str]:
    """Notes on the table of scores."""
    return [*_best(report), *_few_images(report)]


def _best(report: Report) -> list[str]:
    """Why one MIoU is bold, or none."""
    best = report.best
    if best is None:
        return []
    if best.is_of_one_training:
        return ["No MIoU is bold: one training of a row does not tell which row is best."]
    labels = {row.name: row.label for row in report.rows}
    how = f"95 % intervals, adjusted for {_counted(best.comparisons, 'comparison')}"
    if best.is_decided:
        return [f"Bold: the highest MIoU, higher than that of each other row ({how})."]
    others = _listed([labels[name] for name in best.not_told_apart])
    return [
        f"No MIoU is bold: {labels[best.name]} has the highest, and cannot be told apart from "
        f"{others} ({how})."
    ]


def _listed(labels: Sequence[str]) -> str:
    """``A, B and C``; only the first ones of many."""
    shown = list(labels[:_MOST_LABELS])
    if more := len(labels) - len(shown):
        shown.append(_counted(more, "other row"))
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _few_images(report: Report) -> list[str]:
    """What the validation images are too few for, and which runs they are not drawn of."""
    drawn = report.drawn_images
    if drawn is None:
        return []
    notes = []
    why = "intervals hold the truth less often than in 95 of 100 cases"
    if drawn.images < FEW_IMAGES:
        notes.append(f"{drawn.images} validation images, fewer than {FEW_IMAGES}: {why}.")
    if drawn.with_positives < FEW_WITH_POSITIVES:
        images = _counted(drawn.with_positives, "validation image")
        notes.append(
            f"{report.positive_class} in {images} of {drawn.images}, fewer than "
            f"{FEW_WITH_POSITIVES}: {why}."
        )
    if drawn.runs_left_out:
        notes.append(
            f"Intervals account for other images in {drawn.runs_drawn} runs; in "
            f"{_counted(drawn.runs_left_out, 'run')} more they account for other trainings alone."
        )
    return [f"{note[0].upper()}{note[1:]}" for note in notes]
