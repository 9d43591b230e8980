"""From the attempts in the runs' folders to what a sweep has cost."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ablate.errors import StoreError
from ablate.report.costs_model import CostKind, CostLine, Costs, Peak, Spent, Worker
from ablate.report.costs_text import compute_paragraph
from ablate.report.results import cause_of
from ablate.report.rows import RowRuns
from ablate.runs import Attempt, Ending, PeakMemory, RecordedRun, Store, SweepRecord, TuningRecord

_ABANDONED: tuple[Ending, ...] = ("interrupted", "killed")


def costs_of(
    record: SweepRecord, rows: Sequence[RowRuns], tuning: TuningRecord | None, store: Store
) -> Costs:
    """Reads the attempts at every run that the sweep was ever started with.

    Each run counts once, for the first line that it belongs to. A run that another sweep of the
    store has too is in the cost of both.

    Args:
        record: The start of the sweep.
        rows: The table's rows.
        tuning: The tuning of the sweep; None if it was never tuned.
        store: The store that holds the runs.
    """
    current = {
        row.name: [
            run.run.key for run in row.runs if run.missing_reason != "changed since it was run"
        ]
        for row in rows
    }
    reader = _Reader(store)
    lines = [reader.line("row", row.name, row.label, current[row.name]) for row in rows]
    changed = reader.line("changed", None, "rows as they were before", _keys(record.runs))
    if changed.runs:
        lines.append(changed)
    if tuning is not None:
        tuned = [run for row in tuning.tuned for run in row.runs]
        trials = [trial.run for trial in tuning.trials]
        lines += [
            reader.line("tuned", None, "rows with their best settings", _keys(tuned)),
            reader.line("trials", None, "trials of the tuning", _keys(trials)),
        ]
    total = _line(None, None, "total", reader.attempts, reader.begun)
    workers = _workers(reader.attempts.values())
    return Costs(
        lines=tuple(lines),
        total=total,
        workers=workers,
        problems=tuple(reader.problems),
        paragraph=compute_paragraph(lines, total, workers),
    )


class _Reader:
    """Reads each folder once.

    Attributes:
        attempts: What was read, by key.
        begun: Keys of runs that were begun, with or without a record of their cost.
        problems: What cannot be read, one line each.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: set[str] = set()
        self.attempts: dict[str, list[Attempt]] = {}
        self.begun: set[str] = set()
        self.problems: list[str] = []

    def line(self, kind: CostKind, name: str | None, label: str, keys: Iterable[str]) -> CostLine:
        """The cost of those of these runs that no earlier line has."""
        own = [key for key in dict.fromkeys(keys) if key not in self._seen]
        self._seen |= set(own)
        found = {key: attempts for key in own if (attempts := self._read(key))}
        begun = {key for key in own if key in found or not self._store.run(key).is_untouched()}
        self.attempts |= found
        self.begun |= begun
        return _line(kind, name, label, found, begun)

    def _read(self, key: str) -> list[Attempt]:
        try:
            return self._store.run(key).attempts()
        except (StoreError, OSError) as error:
            self.problems.append(cause_of(error, self._store))
            return []


def _keys(runs: Iterable[RecordedRun]) -> list[str]:
    return [run.key for run in runs]


def _line(
    kind: CostKind | None,
    name: str | None,
    label: str,
    attempts: Mapping[str, Sequence[Attempt]],
    begun: set[str],
) -> CostLine:
    every = [each for those in attempts.values() for each in those]
    done = [those for those in attempts.values() if those[-1].ending == "done"]
    seconds = [sum(each.device_s for each in those) for those in done]
    return CostLine(
        kind=kind,
        name=name,
        label=label,
        runs=len(begun),
        recorded=len(attempts),
        done=_spent(every, "done"),
        failed=_spent(every, "failed"),
        abandoned=_spent(every, *_ABANDONED),
        running=_spent(every, "running"),
        per_run_s=sum(seconds) / len(seconds) if seconds else None,
        most_shared_by=max((each.shared_by for each in every), default=0),
        peak=_peak(every),
    )


def _spent(attempts: Iterable[Attempt], *endings: Ending) -> Spent:
    chosen = [each for each in attempts if each.ending in endings]
    energies = [each.energy_j for each in chosen if each.energy_j is not None]
    return Spent(
        attempts=len(chosen),
        device_s=sum(each.device_s for each in chosen),
        energy_j=sum(energies) if energies else None,
        with_energy=len(energies),
        beside_others=sum(each.beside_others for each in chosen),
    )


def _peak(attempts: Iterable[Attempt]) -> Peak | None:
    """That of a device counts before that of a process, which is beside it."""
    found = [Peak(memory=each.memory, shared_by=each.shared_by) for each in attempts if each.memory]
    return max(found, key=lambda peak: _order(peak.memory), default=None)


def _order(memory: PeakMemory) -> tuple[bool, int]:
    return memory.where == "device", memory.held_bytes


def _workers(attempts: Iterable[Sequence[Attempt]]) -> tuple[Worker, ...]:
    counts = Counter(
        (each.device_name, each.device == "cpu") for those in attempts for each in those
    )
    return tuple(
        Worker(device_name=name, is_processor=is_processor, attempts=number)
        for (name, is_processor), number in counts.most_common()
    )
