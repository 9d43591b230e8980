"""What the runs of a sweep have cost, as a value."""

from typing import Literal

from ablate.runs import PeakMemory
from ablate.spec import Frozen

# Whose cost a line is: a row of the table; runs of rows that have changed since; rows trained anew
# with their best settings; trials of the tuning.
CostKind = Literal["row", "changed", "tuned", "trials"]


class Spent(Frozen):
    """What some attempts have cost.

    Attributes:
        attempts: How many.
        device_s: Seconds for which a device was held for them; shares, where runs were trained
            together.
        energy_j: Joules of those whose device counts them; None if none does.
        with_energy: How many attempts that are.
        beside_others: How many attempts may have shared their device with other cohorts.
    """

    attempts: int
    device_s: float
    energy_j: float | None
    with_energy: int
    beside_others: int = 0


class Peak(Frozen):
    """The attempt that held the most memory.

    Attributes:
        memory: How much; where runs were trained together, of all of them.
        shared_by: How many runs those were.
    """

    memory: PeakMemory
    shared_by: int


class CostLine(Frozen):
    """The cost of some runs, by how their attempts ended.

    Attributes:
        kind: Whose cost it is; None for the total.
        name: The row's name; None where it is not of one row.
        label: What tables print.
        runs: Runs that were begun.
        recorded: Those of them whose cost is recorded; older versions of ablate did not.
        done: Attempts that ended with a result.
        failed: Attempts at runs that failed or diverged.
        abandoned: Attempts that were stopped or killed; a later one goes on from the last
            checkpoint.
        running: Attempts that go on now.
        per_run_s: Seconds of the device for a run that is done, with all attempts at it: the mean;
            None if none is done.
        most_shared_by: The largest number of runs that were trained together.
        peak: The most memory; None where it is not recorded.
    """

    kind: CostKind | None
    name: str | None
    label: str
    runs: int
    recorded: int
    done: Spent
    failed: Spent
    abandoned: Spent
    running: Spent
    per_run_s: float | None
    most_shared_by: int
    peak: Peak | None

    @property
    def all(self) -> Spent:
        """Everything together."""
        return added([self.done, self.failed, self.abandoned, self.running])


class Worker(Frozen):
    """What runs were computed on.

    Attributes:
        device_name: The accelerator's or the processor's own name.
        is_processor: Whether that is a CPU.
        attempts: How many attempts were computed on it.
    """

    device_name: str
    is_processor: bool
    attempts: int


class Costs(Frozen):
    """What a sweep has cost in this store.

    Attributes:
        lines: By row in the table's order; then what is of no single row.
        total: All of it.
        workers: What the runs were computed on, the most used first.
        problems: Records that cannot be read, one line each.
        paragraph: The statement on compute that checklists of conferences ask for.
    """

    lines: tuple[CostLine, ...]
    total: CostLine
    workers: tuple[Worker, ...]
    problems: tuple[str, ...]
    paragraph: str


def added(spent: list[Spent]) -> Spent:
    """The sum."""
    energies = [each.energy_j for each in spent if each.energy_j is not None]
    return Spent(
        attempts=sum(each.attempts for each in spent),
        device_s=sum(each.device_s for each in spent),
        energy_j=sum(energies) if energies else None,
        with_energy=sum(each.with_energy for each in spent),
        beside_others=sum(each.beside_others for each in spent),
    )
