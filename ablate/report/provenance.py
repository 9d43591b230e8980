"""Where the numbers come from, and what a reader should know before comparing rows."""

from collections import Counter
from collections.abc import Sequence

from ablate.report.model import CheckedData, ReportProvenance, RunProvenance
from ablate.report.results import Finished
from ablate.report.rows import RowRuns
from ablate.runs import DataCheck, RecordedRun, SweepRecord
from ablate.spec import ENGINE_VERSION, Context


def provenance_of(
    record: SweepRecord,
    rows: Sequence[RowRuns],
    check: DataCheck | None,
    problems: Sequence[str] = (),
) -> ReportProvenance:
    """The provenance of all results, in the order of the table.

    Args:
        record: The start of the sweep.
        rows: The table's rows.
        check: The last check of the data; None: it was never checked.
        problems: What else of the store cannot be read, one line each.
    """
    runs = tuple(
        _run(run.run, row.label, run.finished) for row in rows for run in row.runs if run.finished
    )
    context = record.context
    return ReportProvenance(
        context=context,
        numbered=record.numbered,
        data_check=_checked(check) if check else None,
        runs=runs,
        notes=(*_notes(runs, context), *problems),
    )


def commit_text(run: RunProvenance) -> str:
    """The commit, or what is known instead."""
    return run.commit or f"none known (ablate {run.ablate})"


def _checked(check: DataCheck) -> CheckedData:
    return CheckedData(
        checked=check.checked,
        counts=check.counts,
        problems=tuple(finding.message for finding in check.problems),
        notes=tuple(finding.message for finding in check.notes),
    )


def _run(run: RecordedRun, label: str, finished: Finished) -> RunProvenance:
    result, provenance = finished.result, finished.provenance
    machine = result.machine
    return RunProvenance(
        name=run.name,
        label=label,
        split=run.split,
        seed=run.seed,
        key=result.key,
        epoch=result.epoch,
        epochs=result.epochs,
        steps=result.steps,
        parameters=result.parameters,
        weights_sha256=result.weights_sha256,
        ablate=provenance.ablate,
        commit=provenance.commit,
        device=machine.device,
        device_name=machine.device_name,
        threads=machine.threads,
        precision=machine.precision,
        versions={"python": provenance.python} | provenance.packages | {"torch": machine.torch},
        created=provenance.created,
        finished=result.finished,
        train_s=result.train_s,
    )


def _notes(runs: Sequence[RunProvenance], context: Context) -> tuple[str, ...]:
    precision = context.protocol.precision
    notes = [
        *_other_engine(context.engine),
        *_mixed("commits", [commit_text(run) for run in runs]),
        *_mixed("devices", [run.device_name for run in runs]),
        *_mixed("precisions", [run.precision for run in runs]),
        *_mixed("versions of torch", [run.versions["torch"] for run in runs]),
    ]
    if any((run.commit or "").endswith("+changes") for run in runs):
        notes.append("Some runs were made from code with uncommitted changes.")
    if others := {run.precision for run in runs} - {precision}:
        notes.append(f"The protocol requires {precision}; some runs used {others.pop()}.")
    return tuple(notes)


def _other_engine(engine: int) -> list[str]:
    if engine == ENGINE_VERSION:
        return []
    return [
        f"Computed by engine {engine}; the present one is {ENGINE_VERSION}: ablate run would train "
        "these rows anew."
    ]


def _mixed(what: str, values: Sequence[str]) -> list[str]:
    counts = Counter(values)
    if len(counts) < 2:
        return []
    listed = "; ".join(
        f"{value} ({count} run{'s' if count > 1 else ''})" for value, count in counts.items()
    )
    return [f"The rows mix {what}: {listed}."]
