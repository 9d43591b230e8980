"""``ablate published``: the paper's printed values, checked against themselves."""

from typing import Any

import typer

from ablate.cli import options
from ablate.cli.console import out, print_rows
from ablate.cli.lines import TableFormat, print_json
from ablate.report import RowCheck, check_table, common_share, score_tables

app = typer.Typer(help="The published values: check them.", no_args_is_help=True)


@app.callback()
def _published() -> None:
    # Without a callback, Typer would make the only command the app itself.
    pass


@app.command()
def check(format: options.Format = TableFormat.TABLE) -> None:
    """Recompute every printed row: F1, what P and REC mean, and the share of positive pixels.

    The exit code is 1 if a row contradicts itself or its table's convention.
    """
    tables = score_tables()
    checks = [each for table in tables.values() for each in check_table(table)]
    if format is TableFormat.JSON:
        print_json([each.model_dump(mode="json") for each in checks])
    else:
        print_rows([_cells(each) for each in checks], format)
        _summarise(checks, sum(len(table.rows) for table in tables.values()))
    if not all(each.agrees for each in checks):
        raise typer.Exit(1)


def _cells(check: RowCheck) -> dict[str, Any]:
    """Narrow enough for a terminal of 80 columns."""
    return {
        "table": check.table,
        "model": check.label,
        "F1": check.f1_printed,
        "recomputed": f"{check.f1_recomputed:.3f}",
        "agrees": check.f1_agrees,
        "P, REC": " or ".join(each.replace("-", " ") for each in check.conventions) or "neither",
        "positive %": _share(check),
    }


def _share(check: RowCheck) -> str | None:
    """The share with what rounding leaves open."""
    share, bounds = check.positive_share, check.positive_share_range
    if share is None or bounds is None:
        return None
    return f"{share:.3f} ± {max(share - bounds.low, bounds.high - share):.3f}"


def _summarise(checks: list[RowCheck], rows: int) -> None:
    agreeing = sum(each.agrees for each in checks)
    lines = [f"{agreeing} of {len(checks)} rows agree with themselves and with their convention"]
    if unchecked := rows - len(checks):
        lines.append(f"not checked: {unchecked} rows that do not print all six figures")
    for data in dict.fromkeys(each.data for each in checks):
        shared = common_share([each for each in checks if each.data == data])
        text = f"{shared.low:.3f} to {shared.high:.3f} %" if shared else "no one value"
        lines.append(f"positive pixels that all rows of {data} allow: {text}")
    for line in ("", *lines):
        out.print(line, markup=False, soft_wrap=True)
