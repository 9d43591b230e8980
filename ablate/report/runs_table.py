"""Where the numbers come from: the runs of a table, and what they were made from."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ablate.report.model import Report, ReportProvenance, RunProvenance
from ablate.report.provenance import commit_text
from ablate.report.score_cells import is_over_splits
from ablate.report.table import (
    DASH,
    Column,
    Table,
    TableCell,
    caption_of,
    number_cell,
    number_column,
    text_cell,
    text_column,
)
from ablate.spec import BACKBONES, DataIdentity, split_text

_COLUMNS = (
    number_column("seed", "seed"),
    text_column("key", "key"),
    number_column("trained", "trained"),
    Column(key="epoch", heading="epoch", alignment="right"),
    Column(key="finished", heading="finished", alignment="right"),
    number_column("seconds", "seconds"),
    text_column("device", "device"),
    text_column("commit", "commit"),
)


def runs_table(report: Report) -> Table:
    """The runs with a result; its notes are the provenance of all of them."""
    over_splits = is_over_splits(report)
    split = [number_column("split", "split")] if over_splits else []
    return Table(
        name="runs",
        title="Provenance",
        columns=(text_column("label", "Model"), *split, *_COLUMNS),
        rows=tuple(_cells(run, over_splits) for run in report.provenance.runs),
        caption=caption_of(
            report.watermark, "The runs with a result; trained: parameters that are trained."
        ),
        notes=tuple(_facts(report)),
    )


def _cells(run: RunProvenance, over_splits: bool) -> tuple[TableCell, ...]:
    trained = run.parameters.trainable
    return (
        text_cell(run.label),
        *([number_cell(run.split)] if over_splits else []),
        number_cell(run.seed) if run.epochs else DASH,
        text_cell(run.key),
        number_cell(trained, f"{trained:,}"),
        text_cell(f"{run.epoch}/{run.epochs}" if run.epochs else "not trained"),
        text_cell(_time(run.finished)),
        number_cell(run.train_s, f"{run.train_s:.1f}"),
        text_cell(run.device_name),
        text_cell(commit_text(run)),
    )


def _facts(report: Report) -> list[str]:
    provenance, published = report.provenance, report.published
    context, runs = provenance.context, provenance.runs
    protocol, data, weights = context.protocol, context.data, context.weights
    kept = "the epoch of the lowest validation loss"
    if protocol.selection == "last":
        kept = "the last epoch"
    facts = [
        f"Protocol: {protocol.label} ({BACKBONES[protocol.backbone].label}, "
        f"{protocol.image_size_px} px, {protocol.epochs} epochs, batches of {protocol.batch_size}, "
        f"{protocol.precision}; kept: {kept})",
        f"Data: {data.label}, {_sizes(data)}, SHA-256 {data.digest}",
        *_splits(provenance),
        *_data_check(provenance),
        f"Weights: {weights.label}, SHA-256 {weights.sha256}",
        *(
            f"Weights of the CNN baselines: {each.label}, SHA-256 {each.sha256}"
            for each in context.resnets.values()
        ),
        f"{_capitalised(report.positive_class)} pixels: {_share(report)}",
    ]
    if published:
        facts.append(
            f"Published values: {published.source.paper}, Table {published.source.table} "
            f"({published.data}; {published.convention}; {published.rounding})"
        )
    seconds = sum(run.train_s for run in runs)
    return [
        *facts,
        f"Code: {_unique([commit_text(run) for run in runs])}; engine {context.engine}",
        f"Devices: {_unique(_devices(runs))}; {_unique([run.precision for run in runs])}",
        f"Versions: {_unique(_versions(runs))}",
        f"Dates: {_dates(runs)}; {seconds:.1f} s of computing",
        *(f"Note: {note}" for note in provenance.notes),
    ]


def _sizes(data: DataIdentity) -> str:
    """How many images each part has."""
    parts = [f"{data.train} training", f"{data.validation} validation"]
    parts += [f"{data.test} test"] if data.test else []
    return f"{', '.join(parts[:-1])} and {parts[-1]} images"


def _splits(provenance: ReportProvenance) -> list[str]:
    """What tells the splits from each other, where there are several."""
    if not provenance.numbered:
        return []
    own = provenance.context
    texts = [f"0: {split_text(own.protocol.split)}"]
    for each in provenance.numbered:
        sizes = "" if _sizes(each.data) == _sizes(own.data) else f" ({_sizes(each.data)})"
        digest = "" if each.data.digest == own.data.digest else f", SHA-256 {each.data.digest}"
        texts.append(f"{each.number}: {split_text(each.split)}{sizes}{digest}")
    return [f"Splits ({own.protocol.split.kind}): {'; '.join(texts)}"]


def _data_check(provenance: ReportProvenance) -> list[str]:
    """What a check of the data found; nothing for generated data, which has nothing to check."""
    check = provenance.data_check
    if check is not None:
        found = "; ".join((*check.problems, *check.notes))
        return [
            f"Data check ({_time(check.checked)}): {check.counts}{f': {found}' if found else ''}"
        ]
    if provenance.context.protocol.data.kind == "generated":
        return []
    return ["Data check: not checked; run `ablate data check` on the data with this store"]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _share(report: Report) -> str:
    share = report.positive_share
    text = "none yet" if share.validated is None else f"{share.validated:.2f} % of validation"
    if share.published is None:
        return text
    low, high = share.published.low, share.published.high
    return f"{text}; the published rows imply {low:.3f} to {high:.3f} %"


def _unique(values: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(values)) or "none yet"


def _devices(runs: Sequence[RunProvenance]) -> list[str]:
    return [
        f"{run.device_name} ({run.device}, {run.threads} thread{'s' if run.threads > 1 else ''})"
        for run in runs
    ]


def _versions(runs: Sequence[RunProvenance]) -> list[str]:
    """One list where no two runs had different versions of a package, else one for each run.

    A package that only some rows need is in the list of those runs only.
    """
    merged: dict[str, str] = {}
    for run in runs:
        for name, version in run.versions.items():
            if merged.setdefault(name, version) != version:
                return [_listed(each.versions) for each in runs]
    return [_listed(merged)] if runs else []


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _dates(runs: Sequence[RunProvenance]) -> str:
    if not runs:
        return "none yet"
    first, last = min(run.created for run in runs), max(run.finished for run in runs)
    return f"first run created {_time(first)}, last one finished {_time(last)}"
