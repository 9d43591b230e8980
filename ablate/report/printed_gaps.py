"""How sure a published difference is, from its number of images and what the same rows do here.

The question is that of "Claims Reloaded" (arXiv:2505.04720), which sets reported means beside an
empirical estimate of models' congruence: how alike they score the same images. Here congruence and
spread are measured on runs of the same two rows, for MIoU of pooled pixels
(``ablate.report.image_spread``), and scaled to the number of images behind the published values.
"""

import math
from collections.abc import Sequence
from decimal import Decimal

from ablate.report.detectable_model import DetectableDifference
from ablate.report.image_spread import ComparedRows
from ablate.report.paired import Part
from ablate.report.power import probability_of_other_sign, smallest_difference, standard_error
from ablate.report.printed_gaps_model import PrintedGap, PrintedGaps, Sureness
from ablate.report.published import ScoreTable
from ablate.report.rows import RowRuns


def printed_gaps_of(
    compared: Sequence[ComparedRows], published: ScoreTable | None, data: str
) -> PrintedGaps | None:
    """The published differences of pairs of rows.

    Args:
        compared: The pairs; those without two published MIoUs are left out.
        published: The published table.
        data: The label of the data that the runs were validated on.

    Returns:
        None where there is no published difference, its number of images is unknown, or the runs
        were not validated on images of the published data set: others tell nothing of it.
    """
    if published is None or published.validation_images is None or published.data != data:
        return None
    images = published.validation_images
    gaps = tuple(
        _gap(pair, images)
        for pair in compared
        if _printed(pair.first) is not None and _printed(pair.second) is not None
    )
    return PrintedGaps(images=images, gaps=gaps) if gaps else None


def _printed(row: RowRuns) -> str | None:
    return row.printed.values.get("miou") if row.printed else None


def _gap(pair: ComparedRows, images: int) -> PrintedGap:
    # In decimals: 88.1 - 73.3 is to be 14.8.
    printed = float(Decimal(_printed(pair.first) or 0) - Decimal(_printed(pair.second) or 0))
    spread = pair.spread
    if isinstance(spread, str):
        return PrintedGap(
            first=pair.first.label, second=pair.second.label, printed=printed, missing_reason=spread
        )
    training = spread.of_one_training(images)
    return PrintedGap(
        first=pair.first.label,
        second=pair.second.label,
        printed=printed,
        congruence=spread.congruence,
        images=_sureness(printed, spread.of_images(images)),
        independent=_sureness(printed, spread.of_images(images, congruent=False)),
        training=_sureness(printed, training) if training else None,
    )


def _sureness(difference: float, parts: Sequence[Part]) -> Sureness:
    return Sureness(
        se=standard_error(parts),
        other_sign=probability_of_other_sign(difference, parts),
        smallest=smallest_difference(parts),
    )


def detectable_differences(compared: Sequence[ComparedRows]) -> tuple[DetectableDifference, ...]:
    """The smallest differences that can be told of pairs; nothing where none was measured."""
    found = tuple(_detectable(pair) for pair in compared)
    return found if any(each.missing_reason is None for each in found) else ()


def _detectable(pair: ComparedRows) -> DetectableDifference:
    spread = pair.spread
    if isinstance(spread, str):
        return DetectableDifference(
            first=pair.first.label, second=pair.second.label, missing_reason=spread
        )
    now, unlimited = spread.of_units(spread.units), spread.of_units(math.inf)
    return DetectableDifference(
        first=pair.first.label,
        second=pair.second.label,
        images=spread.images,
        units=spread.units,
        congruence=spread.congruence,
        one_training=smallest_difference(spread.of_images(spread.images)),
        now=smallest_difference(now) if now else None,
        unlimited=smallest_difference(unlimited) if unlimited else None,
    )
