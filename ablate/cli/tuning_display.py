"""How far a tuning is, while it goes on: its runs, and the best setting of each row so far."""

from types import TracebackType

from rich.text import Text

from ablate.cli.console import out
from ablate.cli.display import Display
from ablate.runs import Setting
from ablate.study import RowTrials, TuningProgress


class TuningDisplay:
    """Shows what it is called with.

    Args:
        metric: The score that decides.
    """

    def __init__(self, metric: str) -> None:
        """Shows nothing yet."""
        self._metric = metric
        self._display: Display | None = None
        self._is_final = False
        self._best: dict[str, int | None] = {}

    def __enter__(self) -> "TuningDisplay":
        """Begins to show."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves the last state on the terminal."""
        if self._display is not None:
            self._display.__exit__(kind, error, trace)

    def __call__(self, progress: TuningProgress) -> None:
        """Shows where all runs are now."""
        if self._display is None or progress.is_final is not self._is_final:
            if self._display is not None:
                self._display.__exit__(None, None, None)
            if progress.is_final:
                out.print("training each row, as declared and with its best setting")
            self._display, self._is_final = Display().__enter__(), progress.is_final
        if not progress.is_final and out.is_terminal:
            self._display.footer = [Text(self._line(row), style="dim") for row in progress.rows]
        self._display(progress.runs)
        if not progress.is_final and not out.is_terminal:
            self._print_new_best(progress)

    def tell(self, notice: str | None) -> None:
        """Shows what the jobs of a cluster wait for."""
        if self._display is not None:
            self._display.tell(notice)

    def _print_new_best(self, progress: TuningProgress) -> None:
        """A line where a row has a new best."""
        for row in progress.rows:
            if row.best != self._best.get(row.row):
                self._best[row.row] = row.best
                out.print(self._line(row), soft_wrap=True)

    def _line(self, row: RowTrials) -> str:
        ended = f"{row.ended} of {row.trials} trials ended"
        if row.setting is None or row.value is None:
            return f"{row.row}: {ended}"
        value = f"{self._metric} {row.value:.4f}"
        return f"{row.row}: best so far trial {row.best}, {value} ({words(row.setting)}); {ended}"


def words(setting: Setting) -> str:
    """``optimizer.lr=0.001, adapter.width=8``."""
    return ", ".join(f"{name}={value}" for name, value in setting.items()) or "as declared"
