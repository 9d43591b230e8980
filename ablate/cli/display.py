"""How far a sweep is, while it runs: a live table on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from ablate.cli.console import out
from ablate.runs import State, shown
from ablate.study import RunProgress

# Lines get rarer: a sweep of a week has some two hundred.
_TICK_EVERY_S = 10.0
_TICK_SHARE = 0.05
# The bar's pace is that of the last minute: a worker trains several runs by turns.
_PACE_S = 60.0
# The heading, the last line, and what the terminal keeps for itself.
_LINES_BESIDE_RUNS = 5
_FEWEST_RUNS = 3
_STYLE = {
    State.NEW: "dim",
    State.RUNNING: "cyan",
    State.INTERRUPTED: "yellow",
    State.FAILED: "red",
    State.DIVERGED: "red",
    State.DAMAGED: "red",
    State.DONE: "green",
}
# Which runs are shown where there is no room for all.
_RANK = {
    State.RUNNING: 0,
    State.FAILED: 1,
    State.DIVERGED: 1,
    State.DAMAGED: 1,
    State.INTERRUPTED: 2,
}


class _StateColumn(ProgressColumn):
    """A run's state, in its colour."""

    def render(self, task: Task) -> Text:
        state = task.fields["state"]
        return Text(state.value, style=_STYLE[state])


class Display:
    """Shows what it is called with: the progress of every run of a sweep.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Shows nothing yet."""
        self._clock = clock
        self._started = clock()
        self._first_share: float | None = None
        self._table = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            _StateColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[epoch]}", justify="right", markup=False),
            TextColumn("{task.fields[loss]}", justify="right", markup=False),
            TextColumn("{task.fields[miou]}", justify="right", markup=False),
            TimeRemainingColumn(compact=True),
            console=out,
            get_time=clock,
            speed_estimate_period=_PACE_S,
        )
        # Further lines under the table.
        self.footer: Sequence[Text] = ()
        self._live: Live | None = None
        self._seen: dict[int, RunProgress] = {}
        # When the last line was printed, and the states that it tells of.
        self._ticked: tuple[float, list[State]] | None = None
        self._latest: Sequence[RunProgress] = ()
        self._notice: str | None = None

    def __enter__(self) -> "Display":
        """Begins to show."""
        if out.is_terminal:
            self._live = Live(console=out, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves the last state."""
        if self._live is not None:
            self._live.stop()
        else:
            self._print_end()

    def __call__(self, runs: Sequence[RunProgress]) -> None:
        """Shows where all runs are now; the sequence has the same runs every time, and may grow."""
        if self._live is None:
            self._print_tick(runs)
        else:
            self._update_table(runs, _names(runs))
            total = Text(self._total(runs), style="dim")
            notice = [] if self._notice is None else [Text(self._notice, style="yellow")]
            self._live.update(Group(self._table, total, *notice, *self.footer), refresh=True)

    def tell(self, notice: str | None) -> None:
        """Shows what the jobs of a cluster wait for, until something else is to be said."""
        before, self._notice = self._notice, None if notice is None else shown(notice)
        if self._live is None and self._notice and _kind(self._notice) != _kind(before or ""):
            out.print(self._notice, soft_wrap=True)

    # Lines --------------------------------------------------------------------------------

    def _print_tick(self, runs: Sequence[RunProgress]) -> None:
        """A line for all runs, at first every ten seconds, later less often."""
        self._latest = runs
        now = self._clock()
        pause_s = max(_TICK_EVERY_S, _TICK_SHARE * (now - self._started))
        if self._ticked is None or now - self._ticked[0] >= pause_s:
            self._print_total(runs)

    def _print_total(self, runs: Sequence[RunProgress]) -> None:
        self._ticked = self._clock(), [run.state for run in runs]
        out.print(self._total(runs), soft_wrap=True)

    def _print_end(self) -> None:
        """A line for what has changed since the last one."""
        if self._ticked and self._ticked[1] != [run.state for run in self._latest]:
            self._print_total(self._latest)

    # The live table -----------------------------------------------------------------------

    def _update_table(self, runs: Sequence[RunProgress], names: Sequence[str]) -> None:
        """A row for each run, or for those that matter most where there is no room for all."""
        shown = self._shown(runs)
        for index, (run, name) in enumerate(zip(runs, names, strict=True)):
            fields: dict[str, Any] = {
                "state": run.state,
                "epoch": f"{run.epoch}/{run.epochs}",
                "loss": "" if run.loss is None else f"loss {run.loss:.4f}",
                "miou": "" if run.miou is None else f"MIoU {run.miou:.4f}",
            }
            if index not in self._seen:
                self._table.add_task(name, start=False, total=1.0, **fields)
            task = self._table.tasks[index]
            if run.state is State.RUNNING and not task.started:
                self._table.start_task(task.id)
            self._table.update(task.id, completed=run.share, visible=index in shown, **fields)
            if run.is_terminal and task.started and not task.finished:
                self._table.stop_task(task.id)
            self._seen[index] = run

    def _shown(self, runs: Sequence[RunProgress]) -> set[int]:
        """Which runs fit, those that are being trained first."""
        room = max(
            _FEWEST_RUNS, out.height - _LINES_BESIDE_RUNS - len(self.footer) - bool(self._notice)
        )
        ranked = sorted(range(len(runs)), key=lambda index: _RANK.get(runs[index].state, 3))
        return set(ranked[:room])

    def _total(self, runs: Sequence[RunProgress]) -> str:
        """How far all of it is."""
        states = [run.state for run in runs]
        spent_s = self._clock() - self._started
        parts = [f"{states.count(State.DONE)} of {len(runs)} done"]
        parts += [
            f"{states.count(state)} {state.value}"
            for state in (State.RUNNING, State.FAILED, State.DIVERGED, State.DAMAGED)
            if state in states
        ]
        share = sum(1.0 if run.is_terminal else run.share for run in runs) / len(runs)
        parts += [f"{share:.0%}", f"{duration(spent_s)} spent"]
        if self._first_share is None:
            self._first_share = share
        gained = share - self._first_share
        if gained > 0 and share < 1:
            parts.append(f"about {duration(spent_s / gained * (1 - share))} left")
        if self._live and (hidden := len(runs) - len(self._shown(runs))):
            parts.append(f"{hidden} not shown")
        return " · ".join(parts)


def _names(runs: Sequence[RunProgress]) -> list[str]:
    """The names of runs, with split and seed where there are several."""
    many_splits = len({run.split for run in runs}) > 1
    many_seeds = len({run.seed for run in runs}) > 1
    return [
        run.name
        + (f" split {run.split}" if many_splits else "")
        + (f" seed {run.seed}" if many_seeds else "")
        for run in runs
    ]


def _kind(notice: str) -> str:
    """A notice without its numbers: another number of jobs is no news."""
    return "".join(character for character in notice if not character.isdigit())


def duration(seconds: float) -> str:
    """``1 h 02 min``, ``4 min 05 s`` or ``12 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole} s"
