"""What is shown while a sweep is tuned."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from ablate.cli import display, tuning_display
from ablate.cli.tuning_display import TuningDisplay
from ablate.runs import State
from ablate.study import RowTrials, RunProgress, TuningProgress

FIRST = RunProgress("translandseg · trial 1", 0, State.NEW, 0.0, 0, 8, None, None)
SECOND = replace(FIRST, name="translandseg · trial 2")
FINAL = replace(FIRST, name="translandseg · tuned")
NOTHING = RowTrials("translandseg", 2, 0, 0, 0.0, None, None, None)
BEST = RowTrials("translandseg", 2, 1, 1, 3.5, 1, 0.71234, {"optimizer.lr": 0.001473})


def ended(run: RunProgress) -> RunProgress:
    return replace(run, state=State.DONE, share=1.0, epoch=8, miou=0.7)


def shown(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    text = io.StringIO()
    console = Console(
        file=text, force_terminal=terminal, width=150, height=30, no_color=True, markup=False
    )
    monkeypatch.setattr(display, "out", console)
    monkeypatch.setattr(tuning_display, "out", console)
    with TuningDisplay("miou") as show:
        show(TuningProgress(False, [FIRST], (NOTHING,)))
        show(TuningProgress(False, [ended(FIRST)], (BEST,)))
        # A sampler that goes on adds runs.
        show(TuningProgress(False, [ended(FIRST), SECOND], (BEST,)))
        show(TuningProgress(True, [FINAL], (BEST,)))
        show(TuningProgress(True, [ended(FINAL)], (BEST,)))
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue())


LINE = "translandseg: best so far trial 1, miou 0.7123 (optimizer.lr=0.001473); 1 of 2 trials ended"


def test_lines_name_each_new_best_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, terminal=False).splitlines()
    assert lines == [
        "0 of 1 done · 0% · 0 s spent",
        LINE,
        "1 of 2 done · 50% · 0 s spent · about 0 s left",
        "training each row, as declared and with its best setting",
        "0 of 1 done · 0% · 0 s spent",
        "1 of 1 done · 100% · 0 s spent",
    ]


def test_a_terminal_has_the_best_of_each_row_under_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = shown(monkeypatch, terminal=True)
    trials, _, rows = text.partition("training each row, as declared")
    assert LINE in trials
    assert "translandseg: 0 of 2 trials ended" in trials
    assert "translandseg · trial 2" in trials
    assert "translandseg · tuned" in rows
    assert "best so far" not in rows
