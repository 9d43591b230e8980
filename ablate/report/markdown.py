"""The report as Markdown that reads well raw and on GitHub; the page is report.md.j2."""

from collections.abc import Sequence
from datetime import UTC, datetime

from ablate.registry import shipped
from ablate.report.model import (
    LANDSLIDE_COLUMNS,
    PAPER_COLUMNS,
    Count,
    Difference,
    Report,
    Row,
    RunProvenance,
    Score,
    SeedState,
)
from ablate.report.parameters import rounded_millions
from ablate.report.provenance import commit_text
from ablate.report.verdicts import ONE_SEED_TOLERANCE
from ablate.spec import BACKBONES

_NOTHING = "—"
_STRUCTURE = ("MidLay Modules", "residual connection", "outside block")
_MARKS = {True: "✓", False: "×", None: _NOTHING}


def to_markdown(report: Report) -> str:
    """The whole report; equal reports give equal bytes."""
    # Here, since the other formats do without it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(shipped("reports/templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Not HTML: GitHub sanitises what it shows.
        autoescape=False,
    )
    context = report.provenance.context
    return environment.get_template("report.md.j2").render(
        report=report,
        protocol=context.protocol,
        backbone=BACKBONES[context.protocol.backbone],
        data=context.data,
        weights=context.weights,
        baseline=_baseline_label(report),
        seeds=sorted({seed.seed for row in report.rows for seed in row.seeds}),
        backbones=_backbones(report),
        scores=_scores(report),
        missing=_missing(report),
        blank=_blank(report),
        differences=_differences(report),
        verdicts=_verdicts(report),
        pairs=_pairs(report),
        landslide=_landslide(report),
        parameters=_parameters(report),
        has_verdicts=_has_verdicts(report),
        tolerance=ONE_SEED_TOLERANCE,
        rank=_rank(report),
        share=_share(report),
        commits=_unique([commit_text(run) for run in report.provenance.runs]),
        resnets=list(context.resnets.values()),
        devices=_unique(_devices(report)),
        precisions=_unique([run.precision for run in report.provenance.runs]),
        versions=_unique(_versions(report)),
        dates=_dates(report),
        train_s=f"{sum(run.train_s for run in report.provenance.runs):.1f}",
        runs=_runs(report),
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], aligned: str) -> str:
    """A pipe table whose columns stand under each other in the raw text too.

    Args:
        header: The columns' names.
        rows: The cells.
        aligned: ``<`` or ``>`` for each column.
    """
    lines = [[_cell(text) for text in line] for line in (header, *rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(header))]
    rule = [
        "-" * (width - 1) + (":" if side == ">" else "-")
        for width, side in zip(widths, aligned, strict=True)
    ]
    padded = [
        [f"{text:{side}{width}}" for text, side, width in zip(line, aligned, widths, strict=True)]
        for line in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (padded[0], rule, *padded[1:]))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# Scores ---------------------------------------------------------------------------------


def _scores(report: Report) -> str:
    """The paper's table: the published line stands under the reproduced one, digit under digit."""
    has_structure = _has_structure(report)
    header = ["Model", *(_STRUCTURE if has_structure else [])]
    metrics, over_seeds = list(PAPER_COLUMNS), _is_over_seeds(report)
    lines: list[list[str]] = []
    for row in report.rows:
        first = [row.label, *(_structure(row) if has_structure else [])]
        below = [""] * len(first)
        reproduced = [_score(row, row.scores[metric]) for metric in metrics]
        n = [_count_of(row)] if over_seeds else []
        if report.published is None:
            lines.append([*first, *n, *reproduced])
            continue
        printed = [row.scores[metric].printed or str(row.published_hole) for metric in metrics]
        lines.append([*first, "reproduced", *n, *reproduced])
        lines.append([*below, "published", *[_NOTHING for _ in n], *printed])
        if _has_verdicts(report):
            verdicts = [_verdict(row.scores[metric]) for metric in metrics]
            lines.append([*below, "verdict", *[_NOTHING for _ in n], *verdicts])
    if report.published is not None:
        header.append("numbers")
    if over_seeds:
        header.append("n")
    header += PAPER_COLUMNS.values()
    return table(header, lines, "<" * len(header))


def _structure(row: Row) -> list[str]:
    return [row.midlay or _NOTHING, _MARKS[row.residual], _MARKS[row.outside]]


def _has_structure(report: Report) -> bool:
    """Whether the table compares adapters, as Table IV does and Tables I and II do not."""
    return len({tuple(_structure(row)) for row in report.rows if row.system == "sam"}) > 1


def _score(row: Row, score: Score) -> str:
    if score.mean is None:
        return str(row.hole)
    return f"{score.mean:.2f}" + (f" ± {score.sd:.2f}" if score.sd is not None else "")


def _has_verdicts(report: Report) -> bool:
    return any(score.verdict for row in report.rows for score in row.scores.values())


def _verdict(score: Score) -> str:
    """``yes``, or by how many points not; with the tolerance where it depends on the seeds."""
    verdict = score.verdict
    if verdict is None:
        return _NOTHING
    text = "yes" if verdict.is_reproduced else f"no: {verdict.difference:+z.2f}"
    return text if score.n == 1 else f"{text} (± {verdict.tolerance:.2f})"


def _rank(report: Report) -> str | None:
    rank = report.rank
    if rank is None or rank.tau_b is None:
        return None
    return f"{rank.tau_b:.2f} over {rank.rows} rows ({rank.pairs} pairs)"


def _share(report: Report) -> str:
    share = report.positive_share
    text = "none yet" if share.validated is None else f"{share.validated:.2f} % of validation"
    if share.published is None:
        return text
    low, high = share.published.low, share.published.high
    return f"{text}; the published rows imply {low:.3f} to {high:.3f} %"


def _is_over_seeds(report: Report) -> bool:
    return any(len(row.seeds) > 1 for row in report.rows)


def _count_of(row: Row) -> str:
    """``3``, or ``2 of 3`` where some seed has no result."""
    n, asked = sum(seed.state == "done" for seed in row.seeds), len(row.seeds)
    return str(n) if n == asked else f"{n} of {asked}"


def _missing(report: Report) -> list[str]:
    """A line for each reason, with the rows (and seeds) that lack a result for it."""
    reasons: dict[str, list[str]] = {}
    for row in report.rows:
        for seed in row.seeds:
            if seed.state != "done":
                reason = f"{seed.state} ({seed.cause})" if seed.cause else seed.state
                reasons.setdefault(reason, []).append(_run_name(report, row, seed))
    return [f"{reason}: {', '.join(runs)}" for reason, runs in reasons.items()]


def _blank(report: Report) -> list[str]:
    """The runs that predict no landslide at all."""
    return [
        _run_name(report, row, seed)
        for row in report.rows
        for seed in row.seeds
        if seed.predicts_no_positives
    ]


def _run_name(report: Report, row: Row, seed: SeedState) -> str:
    return f"{row.label} seed {seed.seed}" if _is_over_seeds(report) else row.label


def _landslide(report: Report) -> str:
    lines = [
        [row.label, *(_score(row, row.scores[metric]) for metric in LANDSLIDE_COLUMNS)]
        for row in report.rows
    ]
    return table(["Model", *LANDSLIDE_COLUMNS.values()], lines, "<<<<")


# Differences ----------------------------------------------------------------------------


def _baseline_label(report: Report) -> str | None:
    labels = {row.name: row.label for row in report.rows}
    return labels.get(report.baseline, report.baseline) if report.baseline else None


def _difference(difference: Difference, hole: str | None, report: Report) -> list[str]:
    """The cells: n, reproduced, interval and, where there are published values, published."""
    if difference.mean is None:
        cells = ["0", str(hole), _NOTHING]
    elif difference.low is None:
        cells = [str(difference.n), f"{difference.mean:+z.2f}", _NOTHING]
    else:
        interval = f"{difference.low:+z.2f} … {difference.high:+z.2f}"
        cells = [str(difference.n), f"{difference.mean:+z.2f}", interval]
    if report.published is None:
        return cells
    published = difference.published
    return [*cells, "not reported" if published is None else f"{published:+z.2f}"]


def _difference_header(report: Report) -> list[str]:
    header = ["n", "reproduced", "95 % interval"]
    return header if report.published is None else [*header, "published"]


def _differences(report: Report) -> str:
    header = ["Model", *_difference_header(report)]
    lines = [
        [row.label, *_difference(row.delta, row.hole or row.delta.hole, report)]
        if row.delta
        else [row.label, *["baseline"] * (len(header) - 1)]
        for row in report.rows
    ]
    return table(header, lines, "<" + ">" * (len(header) - 1))


def _verdicts(report: Report) -> str:
    header, rows = ["No.", "Claim", "reproduced"], []
    for number, claim in enumerate(report.claims, start=1):
        row = [str(number), claim.claim, claim.reproduced]
        rows.append([*row, claim.published] if claim.published else row)
    if report.published is not None:
        header.append("published")
    return table(header, rows, ">" + "<" * (len(header) - 1))


def _pairs(report: Report) -> str:
    header = ["No.", "MIoU of", "minus MIoU of", *_difference_header(report)]
    lines = [
        [
            str(number),
            pair.better,
            pair.worse,
            *_difference(pair.difference, pair.difference.hole, report),
        ]
        for number, claim in enumerate(report.claims, start=1)
        for pair in claim.pairs
    ]
    return table(header, lines, "><<" + ">" * (len(header) - 3))


# Parameters -----------------------------------------------------------------------------


def _backbones(report: Report) -> list[str]:
    readings = report.parameters.readings if report.parameters else ()
    return list(dict.fromkeys(BACKBONES[each.backbone].label for each in readings if each.backbone))


def _parameters(report: Report) -> str:
    header = ["Model", "reading", "total, printed (M)", "total, counted", "rounds to it"]
    header += ["trained, printed (M)", "trained, counted", "rounds to it", "note"]
    readings = report.parameters.readings if report.parameters else ()
    lines = [
        [each.label, each.reading, *_count(each.total), *_count(each.trainable), each.note]
        for each in readings
    ]
    return table(header, lines, "<<>><>><<")


def _count(count: Count) -> list[str]:
    rounded = rounded_millions(count.counted, count.printed)
    return [count.printed, f"{count.counted:,}", "yes" if count.rounds else f"no: {rounded}"]


# Provenance -----------------------------------------------------------------------------


def _unique(values: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(values)) or "none yet"


def _devices(report: Report) -> list[str]:
    return [
        f"{run.device_name} ({run.device}, {run.threads} thread{'s' if run.threads > 1 else ''})"
        for run in report.provenance.runs
    ]


def _versions(report: Report) -> list[str]:
    return [
        ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
        for run in report.provenance.runs
    ]


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _dates(report: Report) -> str:
    runs = report.provenance.runs
    if not runs:
        return "none yet"
    first, last = min(run.created for run in runs), max(run.finished for run in runs)
    return f"first run created {_time(first)}, last one finished {_time(last)}"


def _epoch(run: RunProvenance) -> str:
    return f"{run.epoch}/{run.epochs}" if run.epochs else "not trained"


def _runs(report: Report) -> str:
    header = ["Model", "seed", "key", "trained", "epoch", "finished", "seconds", "device", "commit"]
    lines = [
        [
            run.label,
            str(run.seed),
            run.key,
            f"{run.parameters.trainable:,}",
            _epoch(run),
            _time(run.finished),
            f"{run.train_s:.1f}",
            run.device_name,
            commit_text(run),
        ]
        for run in report.provenance.runs
    ]
    return table(header, lines, "<><>>>><<")
