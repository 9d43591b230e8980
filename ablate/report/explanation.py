"""Where a number of the table comes from: ``explain``, as a value, and as text."""

import shlex
from collections.abc import Iterator
from typing import Literal

from ablate.errors import BadInput, StoreError
from ablate.metrics.formulas import FORMULAS, MASK_FORMULAS
from ablate.registry import nearest
from ablate.report.comparison_model import NotReported
from ablate.report.model import MissingReason, RepeatState, Report, Row, Verdict
from ablate.report.published import Source
from ablate.report.summary import HEADINGS, metrics_of
from ablate.runs import Store, SweepRecord
from ablate.spec import Frozen, MetricName

_FILES = ("spec.json", "result.json", "confusion.parquet", "events.jsonl")


class Pixels(Frozen):
    """Counts of all validation images of one run; see ``ablate.metrics.Confusion``."""

    tp: int
    fp: int
    fn: int
    tn: int
    boundary_both: int | None = None
    boundary_any: int | None = None
    small_found: int | None = None
    small_all: int | None = None


class ExplainedRepeat(Frozen):
    """One run behind a number.

    Attributes:
        split: The number of the run's split; 0 is the protocol's own.
        seed: The run's seed.
        key: The run's key; None if it was never planned.
        state: ``done``, or why there is no number.
        cause: What failed or cannot be read, in one line; None if nothing did.
        value: The metric, in percent; None without a result.
        pixels: What it is computed from; None without a result.
        images: Validation images whose pixels these are; None without a result.
        epoch: The selected epoch; None where nothing was trained.
        epochs: How many were trained; None where nothing was.
        files: The run's files that decide it.
    """

    split: int
    seed: int
    key: str | None
    state: Literal["done"] | MissingReason
    cause: str | None
    value: float | None = None
    pixels: Pixels | None = None
    images: int | None = None
    epoch: int | None = None
    epochs: int | None = None
    files: tuple[str, ...] = ()


class Explanation(Frozen):
    """A number of the table of scores and all that it is made of; percent.

    Attributes:
        sweep: The name of the sweep.
        row: The variant's name.
        label: What tables print.
        metric: The metric's name.
        heading: What the table prints over it.
        formula: How it is computed from pooled pixels, as a fraction.
        watermark: What everything made from these runs carries; None if comparable.
        is_changed: Whether the variant is declared otherwise today.
        n: Number of repeats with a result.
        mean: Over those; None if there are none.
        sd: Sample standard deviation; None below two repeats.
        missing_reason: Why there is no mean; None if there is one.
        repeats: The runs.
        printed: The published value as it is printed; None where there is none.
        published_missing_reason: Why there is none; None if there is, or if the report has no
            published values at all.
        source: Where it was published.
        difference: Mean minus published, in percentage points.
        verdict: Whether the published value was reproduced; None in reports that are not
            comparable, and where one of the two values is missing.
        files: The files that say which runs these are.
        commands: Commands that look further.
    """

    sweep: str
    row: str
    label: str
    metric: MetricName
    heading: str
    formula: str
    watermark: str | None
    is_changed: bool
    n: int
    mean: float | None
    sd: float | None
    missing_reason: MissingReason | None
    repeats: tuple[ExplainedRepeat, ...]
    printed: str | None
    published_missing_reason: NotReported | None
    source: Source | None
    difference: float | None
    verdict: Verdict | None
    files: tuple[str, ...]
    commands: tuple[str, ...]


def explain(
    report: Report, record: SweepRecord, store: Store, row: str, metric: str
) -> Explanation:
    """Follows a number of the table of scores back to its runs, pixels and files.

    Args:
        report: The report that has the number.
        record: The start of the sweep that the report is of.
        store: Where its runs lie.
        row: The row, by the variant's name or its label.
        metric: The metric, by its name or the table's heading.

    Raises:
        BadInput: If the report has no such row or metric.
    """
    found, name = _row_of(report, row), _metric_of(report, metric)
    score = found.scores[name]
    values = {(each.split, each.seed): each.value for each in score.per_repeat}
    published = report.published
    choice = f"--grid {report.sweep} --store {shlex.quote(str(store.root))}"
    return Explanation(
        sweep=report.sweep,
        row=found.name,
        label=found.label,
        metric=name,
        heading=report.metrics.get(name, HEADINGS[name]),
        formula=(FORMULAS | MASK_FORMULAS)[name],
        watermark=report.watermark,
        is_changed=found.is_changed,
        n=score.n,
        mean=score.mean,
        sd=score.sd,
        missing_reason=found.missing_reason,
        repeats=tuple(
            _repeat(each, values.get((each.split, each.seed)), store) for each in found.repeats
        ),
        printed=score.printed,
        published_missing_reason="not reported" if published and score.printed is None else None,
        source=published.source if published and score.printed is not None else None,
        difference=score.difference,
        verdict=score.verdict,
        files=(f"{store.root}/sweeps/{record.id}.json",),
        commands=(
            f"ablate verify {choice}",
            f"ablate status {choice}",
            f"ablate variants show {found.name}",
        ),
    )


def _row_of(report: Report, wanted: str) -> Row:
    rows = [each for each in report.rows if wanted in (each.name, each.label)]
    if len(rows) == 1:
        return rows[0]
    names = [each.name for each in report.rows]
    if rows:
        raise BadInput(
            f"{len(rows)} rows are called {wanted!r}",
            f"name one of {', '.join(each.name for each in rows)}",
        )
    close = nearest(wanted, [*names, *(each.label for each in report.rows)])
    raise BadInput(
        f"the table of {report.sweep} has no row {wanted[:80]!r}{close}",
        f"its rows are {', '.join(names[:20])}{', …' if len(names) > 20 else ''}",
    )


def _metric_of(report: Report, wanted: str) -> MetricName:
    """A name first, then a heading of the table, however it is written."""
    headings = {heading.casefold(): name for name, heading in report.metrics.items()}
    names = metrics_of(report)
    for name in names:
        if name == wanted:
            return name
    if (found := headings.get(wanted.casefold())) is not None:
        return found
    raise BadInput(
        f"no metric is called {wanted[:80]!r}{nearest(wanted, names)}",
        f"name one of {', '.join(names)}, or a heading of the table",
    )


def _repeat(state: RepeatState, value: float | None, store: Store) -> ExplainedRepeat:
    facts = ExplainedRepeat(
        split=state.split, seed=state.seed, key=state.key, state=state.state, cause=state.cause
    )
    if state.key is None:
        return facts
    folder = store.run(state.key)
    paths = [folder.path / name for name in _FILES]
    facts = facts.model_copy(update={"files": tuple(str(path) for path in paths if path.exists())})
    if value is None:
        return facts
    try:
        confusions, result = folder.confusions(), folder.result()
    # It was read for the report a moment ago.
    except StoreError as error:
        return facts.model_copy(update={"cause": str(error)})
    return facts.model_copy(
        update={
            "value": value,
            "pixels": Pixels(**confusions.pooled),
            "images": len(confusions.names),
            "epoch": result.epoch if result and result.epochs else None,
            "epochs": result.epochs if result and result.epochs else None,
        }
    )


# As text ----------------------------------------------------------------------------------


def explanation_text(found: Explanation) -> str:
    """The explanation as plain text, in lines."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Explanation) -> Iterator[str]:
    yield f"{found.label} ({found.row}): {found.heading} ({found.metric}) = {_mean(found)}"
    if found.watermark:
        yield found.watermark
    if found.is_changed:
        yield "The variant is declared otherwise today; these are the numbers of what was run."
    yield ""
    yield f"each repeat: 100 * ({found.formula}), of the pixels of all its validation images"
    for each in found.repeats:
        yield f"  {_repeat_line(each)}"
        for file in each.files:
            yield f"    {file}"
    if found.mean is not None:
        yield f"mean of {_counted(found.n)}: {found.mean!r}"
        yield f"sample standard deviation: {'—' if found.sd is None else repr(found.sd)}"
    yield ""
    yield from _published_lines(found)
    yield ""
    yield "which runs these are:"
    yield from (f"  {file}" for file in found.files)
    yield "look further:"
    yield from (f"  {command}" for command in found.commands)


def _mean(found: Explanation) -> str:
    if found.mean is None:
        return str(found.missing_reason)
    spread = "" if found.sd is None else f" ± {found.sd:.2f}"
    return f"{found.mean:.2f}{spread} percent, {_counted(found.n)}"


def _counted(repeats: int) -> str:
    return f"{repeats} repeat{'' if repeats == 1 else 's'}"


def _repeat_line(each: ExplainedRepeat) -> str:
    name = f"split {each.split}, seed {each.seed}" if each.split else f"seed {each.seed}"
    run = f"{name}, run {each.key}" if each.key else name
    if each.value is None or each.pixels is None:
        return f"{run}: {each.state}{f': {each.cause}' if each.cause else ''}"
    pixels = each.pixels
    besides = (
        ("boundary pixels of both", pixels.boundary_both),
        ("of either", pixels.boundary_any),
        ("small objects found", pixels.small_found),
        ("small objects", pixels.small_all),
    )
    counted = "".join(f", {count:,} {what}" for what, count in besides if count is not None)
    epoch = f", epoch {each.epoch} of {each.epochs}" if each.epochs else ", not trained"
    return (
        f"{run}: {each.value!r} from TP {pixels.tp:,}, FP {pixels.fp:,}, FN {pixels.fn:,}, "
        f"TN {pixels.tn:,}{counted} of {each.images:,} images{epoch}"
    )


def _published_lines(found: Explanation) -> Iterator[str]:
    if found.source is None or found.printed is None:
        yield f"published: {found.published_missing_reason or 'this sweep reproduces no table'}"
        return
    yield f"published: {found.printed} (Table {found.source.table}, {found.source.paper})"
    if found.difference is not None:
        yield f"reproduced minus published: {found.difference:+.2f} percentage points"
    if (verdict := found.verdict) is not None:
        words = "reproduced" if verdict.is_reproduced else "not reproduced"
        yield f"{words}: the tolerance is ±{verdict.tolerance:.2f} percentage points"
