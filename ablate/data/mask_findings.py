"""What is odd about the masks of a data set: empty, full, inverted, or of differing values."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ablate.data.pairs import some
from ablate.data.wording import counted
from ablate.runs import Finding, FindingKind, Severity
from ablate.spec import MaskValues

# A mask looks inverted if more than the one share of it is positive in a data set in whose median
# mask it is less than the other.
_INVERTED_ABOVE, _INVERTED_MEDIAN_BELOW = 0.5, 0.3


@dataclass(frozen=True)
class MaskFacts:
    """A mask that can be read.

    Attributes:
        share: Positive pixels among all, at the mask's own size.
        levels: The values in its file, in order; empty where there is no file of values.
    """

    share: float
    levels: tuple[float, ...]

    @property
    def odd_levels(self) -> tuple[float, ...]:
        """The values that are neither 0 nor the greatest."""
        return tuple(level for level in self.levels[:-1] if level)

    @property
    def is_below_threshold(self) -> bool:
        """Whether it holds something besides 0, none of it positive."""
        return not self.share and any(self.levels)


def mask_findings(
    names: Sequence[str], masks: Mapping[int, MaskFacts], rule: MaskValues | None, repair: str
) -> list[Finding]:
    """The findings about masks.

    Args:
        names: Of all images.
        masks: The readable masks, by position.
        rule: What is declared about the values of masks; None: nothing.
        repair: What to do where masks differ in the value that is positive without being declared.
    """
    if rule is None:
        values = _differing(names, masks, repair)
    elif rule.threshold is not None:
        values = _blurred(names, masks, rule.threshold)
    else:
        values = _classes(names, masks)
    return [*_extents(names, masks), *values]


def _extents(names: Sequence[str], masks: Mapping[int, MaskFacts]) -> list[Finding]:
    """Masks that are empty, full or inverted."""
    positive = [mask.share for mask in masks.values() if mask.share > 0]
    median = float(np.median(positive)) if positive else math.nan
    empty, full, inverted = [], [], []
    for index, mask in masks.items():
        if mask.share == 0:
            empty.append(index)
        elif mask.share == 1:
            full.append(index)
        elif mask.share > _INVERTED_ABOVE and median < _INVERTED_MEDIAN_BELOW:
            inverted.append(index)
    return [
        *_of(
            names,
            empty,
            "empty-masks",
            "without a positive pixel",
            "right where there is nothing to find; else make the masks anew",
            "note" if positive else "problem",
        ),
        *_of(
            names,
            full,
            "full-masks",
            "with nothing but positive pixels",
            "look at them (--sheet), and remove them if no pixel outside is meant to be told apart",
        ),
        *_of(
            names,
            inverted,
            "inverted-masks",
            f"with more than {_INVERTED_ABOVE:.0%} positive pixels (median of all: {median:.1%}), "
            "which look inverted",
            "look at them (--sheet), and invert those that are",
        ),
    ]


def _differing(names: Sequence[str], masks: Mapping[int, MaskFacts], repair: str) -> list[Finding]:
    """Files that do not agree on the value that is positive, such as 1 in some and 255 in most."""
    by_value: dict[float, list[int]] = {}
    for index, mask in masks.items():
        for level in filter(None, mask.levels):
            by_value.setdefault(level, []).append(index)
    if len(by_value) < 2:
        return []
    usual = max(by_value, key=lambda level: len(by_value[level]))
    those = sorted(index for level in by_value if level != usual for index in by_value[level])
    return [
        Finding(
            kind="mask-values",
            severity="problem",
            message="the value of positive pixels is not the same in all masks: "
            + _shares(names, by_value),
            repair=repair,
            names=tuple(names[index] for index in those),
        )
    ]


def _blurred(
    names: Sequence[str], masks: Mapping[int, MaskFacts], threshold: float
) -> list[Finding]:
    """What a threshold makes of the values."""
    odd = sorted({level for mask in masks.values() for level in mask.odd_levels})
    return [
        *_of(
            names,
            [index for index, mask in masks.items() if mask.odd_levels],
            "mask-values",
            f"with values that are neither 0 nor the greatest ({_listed(odd)})",
            "make sure that each of these values is meant as it is read, or save two values only",
        ),
        *_of(
            names,
            [index for index, mask in masks.items() if mask.is_below_threshold],
            "mask-values",
            f"not empty, but with no value above the threshold {threshold:g}",
            "give all masks the same values, or declare a lower threshold",
        ),
    ]


def _classes(names: Sequence[str], masks: Mapping[int, MaskFacts]) -> list[Finding]:
    """Declared values that only some of the masks hold."""
    counts = Counter(level for mask in masks.values() for level in mask.levels if level)
    filled = sum(any(mask.levels) for mask in masks.values())
    rare = {
        level: [index for index, mask in masks.items() if level in mask.levels]
        for level, count in sorted(counts.items())
        if count < filled
    }
    if not rare:
        return []
    those = sorted({index for indices in rare.values() for index in indices})
    return [
        Finding(
            kind="mask-values",
            severity="note",
            message=f"values that only some of the {filled} masks with any value hold: "
            + _shares(names, rare),
            repair="right for classes that are not in every image; else correct the masks, or the "
            "lists of data.mask_values",
            names=tuple(names[index] for index in those),
        )
    ]


def _of(
    names: Sequence[str],
    those: Sequence[int],
    kind: FindingKind,
    text: str,
    repair: str,
    severity: Severity = "note",
) -> list[Finding]:
    """A finding about some masks, if there are any."""
    if not those:
        return []
    named = tuple(names[index] for index in those)
    message = f"{counted(len(those), 'mask')} {text}: {some(named)}"
    return [Finding(kind=kind, severity=severity, message=message, repair=repair, names=named)]


def _shares(names: Sequence[str], by_value: Mapping[float, Sequence[int]]) -> str:
    return "; ".join(
        f"{level:g} in {counted(len(those), 'mask')} ({some([names[index] for index in those])})"
        for level, those in sorted(by_value.items())
    )


def _listed(levels: Sequence[float]) -> str:
    return some([f"{level:g}" for level in levels])
