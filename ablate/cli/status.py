"""``ablate status``: what every run of the store is at."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ablate.cli import options
from ablate.cli.console import TableFormat, out, print_json, print_rows
from ablate.errors import BadInput
from ablate.runs import RunFolder, State, Store, SweepRecord

# More rows than anybody reads; they are gathered by variant and state instead.
_MOST_ROWS = 500


def status(
    grid: Annotated[
        str | None,
        typer.Option(
            envvar="ABLATE_GRID", help="Only this sweep. [default: all]", show_default=False
        ),
    ] = None,
    store: options.StorePath = options.DEFAULT_STORE,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Show the state of every run: done, running, interrupted, failed, diverged or new.

    Of more than 500 runs the table only counts; JSON has them all.
    """
    opened = Store(store)
    records = opened.sweep_records(grid)
    if not records:
        what = f"sweep {grid}" if grid else "no sweep"
        raise BadInput(
            f"{what} was never started in {store}" if grid else f"{what} was started in {store}",
            "start one with `ablate run --grid table4`, or give --store",
        )
    tables = [(record, [_row(opened.run(key)) for key in record.runs]) for record in records]
    if format is TableFormat.JSON:
        print_json([_summary(record) | {"runs": rows} for record, rows in tables])
        return
    for record, rows in tables:
        context = record.context
        title = (
            f"{record.sweep} · protocol {context.protocol.name} · {context.data.label} · "
            f"{context.weights.label}"
        )
        print_rows(_gathered(rows), format, title=title)
        states = [row["state"] for row in rows]
        counts = [(states.count(state.value), state.value) for state in State]
        out.print(", ".join(f"{count} {state}" for count, state in counts if count))


def _summary(record: SweepRecord) -> dict[str, Any]:
    return {
        "sweep": record.sweep,
        "id": record.id,
        "protocol": record.context.protocol.name,
        "data": record.context.data.label,
        "weights": record.context.weights.label,
        "updated": record.updated,
    }


def _gathered(rows: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The rows, or how many there are of each variant in each state where they are too many."""
    if len(rows) <= _MOST_ROWS:
        return rows
    counts = Counter((row["variant"], row["state"]) for row in rows)
    return [
        {"variant": variant, "state": state, "runs": count}
        for (variant, state), count in counts.items()
    ]


def _row(folder: RunFolder) -> dict[str, Any]:
    spec, state = folder.spec(), folder.state()
    result, failure = folder.result(), folder.failure()
    events = folder.events() if result is None else []
    miou = result.metrics["miou"] if result else events[-1].metrics["miou"] if events else None
    return {
        "variant": spec.name,
        "seed": spec.seed,
        "key": folder.key,
        "state": state.value,
        "epoch": result.epochs if result else len(events),
        "epochs": spec.epochs,
        "miou": miou,
        "note": failure.message if failure else None,
    }
