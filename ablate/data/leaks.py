"""What the training images give away of the validation images: copies, and common sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.data.duplicates import Fingerprint, exact_groups, near_groups, source_groups
from ablate.data.split_parts import Parts
from ablate.data.wording import counted
from ablate.runs import Finding, FindingKind, Severity

_EXAMPLES = 3
_NAMES_OF_AN_EXAMPLE = 4


@dataclass(frozen=True)
class _Kind:
    """How groups of one kind are reported: those that straddle the split, and the others."""

    across: FindingKind
    severity: Severity
    across_repair: str
    within: FindingKind | None
    within_repair: str
    what: str
    unit: str
    joined_by: str


_KEEP_TOGETHER = "keep each group in one part (split: kind: groups, or lists)"
_EXACT = _Kind(
    across="duplicates-across-split",
    severity="problem",
    across_repair=f"remove all but one of each group, or {_KEEP_TOGETHER}",
    within="duplicates",
    within_repair="remove all but one of each group: copies weigh more than other images",
    what="equal images",
    unit="group",
    joined_by=" = ",
)
_NEAR = _Kind(
    across="near-duplicates-across-split",
    severity="note",
    across_repair=f"look at them (--sheet); of real copies, keep one, or {_KEEP_TOGETHER}",
    within="near-duplicates",
    within_repair="look at them (--sheet), and keep one of each group of copies",
    what="nearly equal images",
    unit="group",
    joined_by=" ≈ ",
)
_OVERLAPS = _Kind(
    across="overlaps-across-split",
    severity="note",
    across_repair=f"they show the same ground: {_KEEP_TOGETHER}",
    within="overlaps",
    within_repair="keep them together in any other split too",
    what="overlapping images",
    unit="pair",
    joined_by=" + ",
)
_SOURCES = _Kind(
    across="sources-across-split",
    severity="note",
    across_repair=f"if they are cut from one scene, {_KEEP_TOGETHER}",
    within=None,
    within_repair="",
    what="images whose names share a source",
    unit="group",
    joined_by=", ",
)


def leaks(
    names: Sequence[str],
    fingerprints: Mapping[int, Fingerprint],
    overlaps: Sequence[tuple[int, int]],
    parts: Parts | None,
) -> list[Finding]:
    """Equal, nearly equal and overlapping images, and names of a source on both sides of the split.

    Args:
        names: Of all images.
        fingerprints: Of the readable images, by position.
        overlaps: Pairs of images that overlap, by position; copies may be among them.
        parts: The split; None: there is none, and copies count as within one part.
    """
    exact, near = exact_groups(fingerprints), near_groups(fingerprints)
    copies = [set(group) for group in (*exact, *near)]
    only_overlapping = [pair for pair in overlaps if not any(set(pair) <= each for each in copies)]
    return [
        *_findings(_EXACT, exact, names, parts),
        *_findings(_NEAR, near, names, parts),
        *_findings(_OVERLAPS, only_overlapping, names, parts),
        *_findings(_SOURCES, source_groups(names), names, parts),
    ]


def _findings(
    kind: _Kind, groups: Sequence[Sequence[int]], names: Sequence[str], parts: Parts | None
) -> list[Finding]:
    sides = [set(side) for side in parts] if parts else []
    across = [group for group in groups if sum(bool(side & set(group)) for side in sides) > 1]
    within = [group for group in groups if group not in across]
    found = []
    if across:
        members = {index for group in across for index in group}
        exposed = [
            f"{len(side & members)} of {len(side)} {name} images"
            for name, side in zip(("training", "validation", "test"), sides, strict=True)
            if side and name != "training"
        ]
        where = f"on both sides of the split ({', '.join(exposed)})"
        found.append(
            _finding(kind, kind.across, kind.severity, across, names, where, kind.across_repair)
        )
    if within and kind.within:
        where = "within one part"
        found.append(_finding(kind, kind.within, "note", within, names, where, kind.within_repair))
    return found


def _finding(
    kind: _Kind,
    name: FindingKind,
    severity: Severity,
    groups: Sequence[Sequence[int]],
    names: Sequence[str],
    where: str,
    repair: str,
) -> Finding:
    named = tuple(tuple(names[index] for index in group) for group in groups)
    together = tuple(dict.fromkeys(name for group in named for name in group))
    examples = [_example(group, kind.joined_by) for group in named[:_EXAMPLES]]
    if len(named) > _EXAMPLES:
        examples.append("…")
    return Finding(
        kind=name,
        severity=severity,
        message=f"{counted(len(named), kind.unit)} of {kind.what} ({len(together)} images) "
        f"{where}: {'; '.join(examples)}",
        repair=repair,
        names=together,
        groups=named,
    )


def _example(names: Sequence[str], joined_by: str) -> str:
    shown = [*names[:_NAMES_OF_AN_EXAMPLE], *(["…"] if len(names) > _NAMES_OF_AN_EXAMPLE else [])]
    return joined_by.join(shown)
