"""How far a sweep is, while it runs: a live table on a terminal, lines elsewhere."""

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ablate.cli.console import out
from ablate.plan import Plan, PlannedRun
from ablate.runs import State

_POLL_S = 0.5
# Of thousands of runs a look takes long: the display leaves nine tenths of the time to others.
_REST_PER_LOOK = 9.0
_LINE_EVERY_S = 10.0
_OVER = (State.DONE, State.FAILED, State.DIVERGED)
_STYLE = {
    State.NEW: "dim",
    State.RUNNING: "cyan",
    State.INTERRUPTED: "yellow",
    State.FAILED: "red",
    State.DIVERGED: "red",
    State.DONE: "green",
}


class _Watched:
    """One run as its folder shows it; a finished one is not read again."""

    def __init__(self, run: PlannedRun) -> None:
        self.run = run
        self.state = run.state
        self.done_share = 0.0
        self.loss: float | None = None
        self.miou: float | None = None
        self.epoch_text = ""
        self._first: tuple[float, float] | None = None
        self.look()

    @property
    def name(self) -> str:
        return self.run.spec.name

    def look(self) -> bool:
        """Reads the folder; says whether the state has changed."""
        if self.state in _OVER and self.epoch_text:
            return False
        before, folder = self.state, self.run.folder
        epochs = self.run.spec.epochs
        if before is State.NEW and folder.is_untouched():
            self.epoch_text = f"0/{epochs}"
            return False
        self.state = folder.state()
        if result := folder.result():
            self.done_share = 1.0
            self.miou = result.metrics["miou"]
            self.epoch_text = f"{result.epochs}/{epochs}"
        else:
            if events := folder.events():
                self.miou = events[-1].metrics["miou"]
                self.loss = events[-1].metrics["train_loss"]
            if (progress := folder.progress()) and self.state is State.RUNNING:
                in_epoch = progress.step_in_epoch / progress.steps_per_epoch
                # What is only evaluated has one pass and no epoch.
                self.done_share = (progress.epoch - 1 + in_epoch) / max(1, epochs)
                self.loss = progress.loss
            else:
                self.done_share = len(events) / max(1, epochs)
            self.epoch_text = f"{int(self.done_share * epochs)}/{epochs}"
        return self.state is not before

    def eta_s(self) -> float | None:
        """Seconds to its end, from its own pace; None while there is none."""
        if self.state is not State.RUNNING:
            return None
        now = time.monotonic()
        if self._first is None:
            self._first = (now, self.done_share)
        since, share = self._first
        gained = self.done_share - share
        return (now - since) / gained * (1 - self.done_share) if gained > 0 else None


class Display:
    """Shows the runs of a plan while the executor works, from a thread of its own.

    Args:
        plan: The runs.
        quiet: Show nothing.
    """

    def __init__(self, plan: Plan, *, quiet: bool) -> None:
        """Reads every folder once."""
        self._watched = [_Watched(run) for run in plan.runs]
        self._quiet = quiet
        self._many_seeds = len({run.spec.seed for run in plan.runs}) > 1
        self._started = time.monotonic()
        self._share_at_start = self._share()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._show, name="display", daemon=True)

    def __enter__(self) -> "Display":
        """Starts to show."""
        if not self._quiet:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Shows the last state and ends."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _show(self) -> None:
        if not out.is_terminal:
            last_line = dict.fromkeys(self._watched, 0.0)
            self._until_over(lambda: self._say_lines(last_line))
            return
        with Live(self._table(), console=out, auto_refresh=False) as live:
            self._until_over(lambda: live.update(self._look(), refresh=True))

    def _until_over(self, show: Callable[[], None]) -> None:
        """Shows what is new again and again, and once more when the end has come."""
        over, spent_s = False, 0.0
        while not over:
            over = self._stop.wait(max(_POLL_S, _REST_PER_LOOK * spent_s))
            began = time.monotonic()
            show()
            spent_s = time.monotonic() - began

    def _look(self) -> Group:
        for watched in self._watched:
            watched.look()
        return self._table()

    def _say_lines(self, last_line: dict[_Watched, float]) -> None:
        for watched in self._watched:
            self._say_line(watched, last_line)

    def _say_line(self, watched: _Watched, last_line: dict[_Watched, float]) -> None:
        """A line where the state has changed, and now and then while the run goes on."""
        changed, now = watched.look(), time.monotonic()
        due = watched.state is State.RUNNING and now - last_line[watched] >= _LINE_EVERY_S
        if not changed and not due:
            return
        last_line[watched] = now
        parts = [f"{self._title(watched)}: {watched.state.value}", f"epoch {watched.epoch_text}"]
        if watched.loss is not None and watched.state is State.RUNNING:
            parts.append(f"loss {watched.loss:.4f}")
        if watched.miou is not None:
            parts.append(f"MIoU {watched.miou:.4f}")
        out.print(", ".join(parts), markup=False, soft_wrap=True)

    def _title(self, watched: _Watched) -> str:
        return f"{watched.name} seed {watched.run.spec.seed}" if self._many_seeds else watched.name

    # The live table -----------------------------------------------------------------------

    def _table(self) -> Group:
        table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
        for column in ("variant", "state", "", "epoch", "loss", "MIoU", "left"):
            numeric = column in ("epoch", "loss", "MIoU", "left")
            table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
        shown = self._visible()
        for watched in shown:
            left = watched.eta_s()
            table.add_row(
                self._title(watched),
                Text(watched.state.value, style=_STYLE[watched.state]),
                ProgressBar(total=1.0, completed=watched.done_share, width=24),
                watched.epoch_text,
                "" if watched.loss is None else f"{watched.loss:.4f}",
                "" if watched.miou is None else f"{watched.miou:.4f}",
                "" if left is None else duration(left),
            )
        hidden = len(self._watched) - len(shown)
        return Group(table, Text(self._total(hidden), style="dim"))

    def _visible(self) -> list[_Watched]:
        """As many runs as fit, those that are running first in line."""
        room = max(3, out.height - 5)
        if len(self._watched) <= room:
            return self._watched
        rank = {State.RUNNING: 0, State.FAILED: 1, State.DIVERGED: 1, State.INTERRUPTED: 2}
        ranked = sorted(self._watched, key=lambda watched: rank.get(watched.state, 3))
        chosen = set(ranked[:room])
        return [watched for watched in self._watched if watched in chosen]

    def _total(self, hidden: int) -> str:
        states = [watched.state for watched in self._watched]
        spent = time.monotonic() - self._started
        parts = [f"{states.count(State.DONE)} of {len(states)} done"]
        parts += [
            f"{states.count(state)} {state.value}"
            for state in (State.FAILED, State.DIVERGED)
            if state in states
        ]
        parts.append(f"{duration(spent)} spent")
        share = self._share()
        gained = share - self._share_at_start
        if gained > 0 and share < 1:
            parts.append(f"about {duration(spent / gained * (1 - share))} left")
        if hidden:
            parts.append(f"{hidden} not shown")
        return " · ".join(parts)

    def _share(self) -> float:
        """How much of the whole sweep is over, 0..1."""
        shares = [1.0 if run.state in _OVER else run.done_share for run in self._watched]
        return sum(shares) / len(shares)


def duration(seconds: float) -> str:
    """``1 h 02 min``, ``4 min 05 s`` or ``12 s``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole} s"
