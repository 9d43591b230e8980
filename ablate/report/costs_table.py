"""What a sweep has cost, by row and by how the attempts ended."""

from collections.abc import Callable

from ablate.report.costs_model import CostLine, Costs, Peak, Spent
from ablate.report.costs_text import gigabytes, time_text, unit_of, watt_hours
from ablate.report.table import (
    DASH,
    Table,
    TableCell,
    caption_of,
    missing_cell,
    number_cell,
    number_column,
    text_cell,
    text_column,
)

_NOT_RECORDED = "not recorded"


def costs_table(costs: Costs, watermark: str | None) -> Table:
    """A line for each row and for what is of no single row; the statement on compute is a note."""
    unit, has_energy = unit_of(costs.total), costs.total.all.energy_j is not None
    states: list[tuple[str, Callable[[CostLine], Spent]]] = [
        ("done", lambda line: line.done),
        ("failed", lambda line: line.failed),
        ("abandoned", lambda line: line.abandoned),
    ]
    if costs.total.running.attempts:
        states.append(("running", lambda line: line.running))
    states.append(("total", lambda line: line.all))
    columns = [
        text_column("label", "Model"),
        number_column("runs", "runs"),
        number_column("per_run", f"per run ({unit})"),
        *(number_column(name, f"{name} ({unit})") for name, _ in states),
        number_column("together", "together"),
        number_column("memory", "peak memory (GB)"),
        *([number_column("energy", "energy (Wh)")] if has_energy else []),
    ]
    rows = [
        (
            text_cell(line.label),
            _runs(line),
            _per_run(line, unit),
            *(_spent(line, spent(line), unit) for _, spent in states),
            number_cell(line.most_shared_by) if line.recorded else DASH,
            _memory(line, costs.total.peak),
            *([_energy(line)] if has_energy else []),
        )
        for line in (*costs.lines, costs.total)
    ]
    return Table(
        name="costs",
        title="Cost",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=_caption(costs, watermark),
        notes=(f"Compute: {costs.paragraph}", *(f"Not counted: {each}" for each in costs.problems)),
    )


def _runs(line: CostLine) -> TableCell:
    if line.recorded == line.runs:
        return number_cell(line.runs)
    return number_cell(line.runs, f"{line.runs}, {line.recorded} recorded")


def _per_run(line: CostLine, unit: str) -> TableCell:
    if line.per_run_s is None:
        return _missing(line, "none done")
    return number_cell(line.per_run_s, time_text(line.per_run_s, unit))


def _spent(line: CostLine, spent: Spent, unit: str) -> TableCell:
    if not line.recorded:
        return _missing(line)
    return number_cell(spent.device_s, time_text(spent.device_s, unit))


def _memory(line: CostLine, largest: Peak | None) -> TableCell:
    if line.peak is None:
        return _missing(line)
    memory = line.peak.memory
    text = gigabytes(memory.held_bytes)
    if memory.reserved_bytes is not None:
        text = f"{text} ({gigabytes(memory.reserved_bytes)} reserved)"
    if largest and memory.where != largest.memory.where:
        text = f"{text}, of the process"
    return number_cell(memory.held_bytes, text)


def _energy(line: CostLine) -> TableCell:
    joules = line.all.energy_j
    return _missing(line) if joules is None else number_cell(joules, watt_hours(joules))


def _missing(line: CostLine, reason: str = _NOT_RECORDED) -> TableCell:
    if not line.runs:
        return missing_cell("not run")
    return missing_cell(reason if line.recorded else _NOT_RECORDED)


def _caption(costs: Costs, watermark: str | None) -> str:
    total, peak = costs.total, costs.total.peak
    shared = total.most_shared_by > 1
    return caption_of(
        watermark,
        "Time for which a device was held, from reading the data to the result, by how the "
        "attempts ended; failed: with diverged ones; abandoned: stopped or killed, and a later "
        "attempt goes on from the last checkpoint; per run: all attempts at a run that is done.",
        shared
        and "Runs that are trained together have equal shares of the time"
        f"{' and the energy' if total.all.energy_j is not None else ''} of each step; together: "
        "their largest number.",
        peak
        and (
            "Peak memory: of the accelerator, held by tensors and reserved by torch's allocator; "
            if peak.memory.where == "device"
            else "Peak memory: of the process, with Python and torch; "
        )
        + "of runs that are trained together that of all. GB = 10⁹ bytes.",
        total.all.energy_j is not None
        and "Energy: as the accelerator counts it, with whatever else computed on it.",
    )
