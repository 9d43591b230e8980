"""``ablate verify``: recomputes the numbers of a sweep, or of a bundle, from the raw pixels."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from ablate.cli import options
from ablate.cli.console import err, out
from ablate.cli.lines import TableFormat, write_json
from ablate.errors import ExitCode
from ablate.report.verification_model import Disagreement, ReportDifference, Verification
from ablate.runs import shown
from ablate.study import verify_bundle, verify_store

# More lines than are read; JSON has them all. A value that was edited changes many of a report.
_MOST_LINES = 100
_MOST_OF_REPORT = 10


def verify(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            metavar="BUNDLE",
            callback=options.expand,
            help="An archive of `ablate bundle`. [default: the store]",
            show_default=False,
        ),
    ] = None,
    grid: options.OnlyGrid = None,
    store: options.StorePath = options.DEFAULT_STORE,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Recompute every number from the raw pixels of every image, and name what differs.

    Pooled pixels and metrics come from confusion.parquet, the selected epoch from events.jsonl,
    digests from the files, keys from the specs; then the report is built from stored and from
    recomputed values and compared. Of a bundle, every file's digest is compared too, and the
    report inside with the one that its files give. Needs neither torch nor the data.
    """
    problems: list[str] = []
    with err.status("recomputing"):
        checked = verify_store(store, grid, problems) if bundle is None else [verify_bundle(bundle)]
    for problem in problems:
        err.print(f"note: {problem}", soft_wrap=True)
    if format is TableFormat.JSON:
        write_json(f"[{','.join(each.model_dump_json() for each in checked)}]\n")
    else:
        for each in checked:
            _print(each)
    if problems or not all(each.agrees for each in checked):
        raise typer.Exit(ExitCode.RUN_FAILED)


def _print(checked: Verification) -> None:
    for each in checked.disagreements[:_MOST_LINES]:
        out.print(shown(_disagreement(each)), soft_wrap=True)
    _print_rest("values", len(checked.disagreements), _MOST_LINES)
    for difference in checked.report_differences[:_MOST_OF_REPORT]:
        out.print(shown(_difference(difference)), soft_wrap=True)
    _print_rest("values of the report", len(checked.report_differences), _MOST_OF_REPORT)
    out.print(shown(_summary(checked)), soft_wrap=True)


def _disagreement(each: Disagreement) -> str:
    """A value that differs, with all its digits."""
    split = f"split {each.split}, " if each.split else ""
    run = "" if each.row is None else f"{each.row}, {split}seed {each.seed}: "
    if each.note is not None:
        return f"{run}{each.file}: {each.note}"
    return f"{run}{each.what} is {each.stored}, recomputed {each.recomputed} ({each.file})"


def _difference(each: ReportDifference) -> str:
    where = each.file or "the report"
    return f"{where}: {each.place} is {each.stored}, recomputed {each.recomputed}"


def _print_rest(what: str, count: int, shown: int) -> None:
    if count > shown:
        out.print(f"and {count - shown:,} more {what}; --format json has them all")


def _summary(checked: Verification) -> str:
    found, differing = len(checked.disagreements), len(checked.report_differences)
    counted = [
        _counted(checked.runs, "run with a result", "runs with a result"),
        *([f"{checked.files:,} files"] if checked.files is not None else []),
        f"{checked.values:,} values, {found:,} of which differ",
        f"{checked.report_values:,} values of the report, {differing:,} of which differ",
        f"weights of {_counted(checked.weights, 'run', 'runs')}",
    ]
    absent = [
        (checked.runs_without_result, "without a result"),
        (checked.weights_absent, "without weights"),
    ]
    rest = [f"{_counted(count, 'run', 'runs')} {what}" for count, what in absent if count]
    unchecked = f"; not checked: {', '.join(rest)}" if rest else ""
    verdict = "everything agrees" if checked.agrees else "something differs"
    written_by = checked.written_by
    other = written_by is not None and written_by != version("ablate")
    if other and not checked.agrees:
        verdict += f" (written by ablate {written_by}; this is {version('ablate')})"
    return f"{checked.id}: {verdict}. Checked: {'; '.join(counted)}{unchecked}"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"
