"""``ablate status``: what every run of the store is at."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ablate.cli import options
from ablate.cli.console import age, err, out, print_rows, without_own_split
from ablate.cli.lines import TableFormat, print_json
from ablate.runs import State, Store, SweepRecord, shown
from ablate.spec import ENGINE_VERSION
from ablate.study.changed_inputs import changes_of_sweeps
from ablate.study.cluster_jobs import ClusterJobs
from ablate.study.status import SweepStatus, sweep_status

# More rows than are read; they are counted by variant and state instead.
_MOST_ROWS = 500


def status(
    grid: options.OnlyGrid = None,
    store: options.StorePath = options.DEFAULT_STORE,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Show the state of every run: done, running, interrupted, failed, diverged or new.

    A run that a process holds, but of which nothing was heard for ten minutes, is `running?`. Of
    more than 500 runs the table only counts; JSON has them all.
    """
    problems: list[str] = []
    sweeps = sweep_status(store, grid, problems)
    for problem in problems:
        err.print(f"note: {problem}", soft_wrap=True)
    for change in changes_of_sweeps([sweep.record for sweep in sweeps], Store(store)):
        err.print(f"note: {change}", soft_wrap=True)
    if format is TableFormat.JSON:
        print_json([_summary(sweep) | {"runs": sweep.runs} for sweep in sweeps])
        return
    for sweep in sweeps:
        rows = without_own_split(_gathered(sweep.runs, time.time()))
        print_rows(rows, format, title=_title(sweep.record))
        states = [row["state"] for row in sweep.runs]
        counts = [(states.count(state.value), state.value) for state in State]
        out.print(", ".join(f"{count} {state}" for count, state in counts if count))
        for jobs in sweep.jobs:
            out.print(_jobs_line(jobs, time.time()), soft_wrap=True)
        if tuning := sweep.tuning:
            out.print(
                f"tuning by {tuning.sampler}: {tuning.ended} of {tuning.trials} trials ended, "
                f"{tuning.done} done; {tuning.chosen} of {tuning.rows} rows have a best setting"
            )


def _for_people(row: dict[str, Any], now: float) -> dict[str, Any]:
    """A run's row in fewer and shorter words: JSON has the numbers."""
    has_begun = row["last_event"] is not None or row["progress"] > 0
    return {
        "variant": row["variant"],
        "split": row["split"],
        "seed": row["seed"],
        "key": row["key"],
        "state": "running?" if row["stalled"] else row["state"],
        "device": row["device"],
        "epoch": f"{row['epoch']}/{row['epochs']}",
        "done": f"{row['progress']:.0%}" if has_begun else None,
        "miou": row["miou"],
        "last_event": _ago(row["last_event"], now),
        "note": row["note"],
    }


def _ago(then: float | None, now: float) -> str | None:
    """How long ago that was; a clock that was set back makes it now."""
    return None if then is None else f"{age(max(0.0, now - then))} ago"


def _title(record: SweepRecord) -> str:
    context = record.context
    parts = [
        record.sweep.name,
        f"protocol {context.protocol.label}",
        context.data.label,
        context.weights.label,
    ]
    if context.engine != ENGINE_VERSION:
        parts.append(f"by engine {context.engine} (this is engine {ENGINE_VERSION})")
    return " · ".join(parts)


def _summary(sweep: SweepStatus) -> dict[str, Any]:
    record, context = sweep.record, sweep.record.context
    return {
        "sweep": record.sweep.name,
        "id": record.id,
        "protocol": context.protocol.name,
        "overrides": context.protocol.overrides,
        "data": context.data.label,
        "weights": context.weights.label,
        "engine": context.engine,
        "updated": record.updated,
        "tuning": None if sweep.tuning is None else asdict(sweep.tuning),
        "jobs": [asdict(jobs) for jobs in sweep.jobs],
    }


def _jobs_line(jobs: ClusterJobs, now: float) -> str:
    """What a sweep has in a cluster."""
    where = f"jobs of {jobs.executor}, submitted {_ago(jobs.submitted, now)}"
    if jobs.problem is not None:
        return f"{where}: {shown(jobs.problem)}"
    reasons = f" ({shown(', '.join(jobs.reasons))})" if jobs.reasons else ""
    return f"{where}: {jobs.running} running, {jobs.queued} queued{reasons}"


def _gathered(rows: Sequence[dict[str, Any]], now: float) -> Sequence[dict[str, Any]]:
    """The rows, or how many there are of each variant in each state where they are too many."""
    if len(rows) <= _MOST_ROWS:
        return [_for_people(row, now) for row in rows]
    counts = Counter((row["variant"], row["state"]) for row in rows)
    return [
        {"variant": variant, "state": state, "runs": count}
        for (variant, state), count in counts.items()
    ]
