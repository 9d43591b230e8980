"""What is shown while a sweep runs."""

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from ablate.cli import display
from ablate.cli.display import Display, duration
from ablate.plan import Plan, build_plan, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Event, Failure, Progress, Store
from ablate.spec import Context


@pytest.fixture
def plan(begun_store: Path, context: Context) -> Plan:
    """Ten runs: the first runs in its eighth epoch, the second has failed."""
    runs = sweep_runs(Catalogue().rows("table4", context.protocol.backbone), context, (0,))
    made = build_plan(Catalogue().sweep("table4"), context, runs, Store(begun_store))
    first, second = made.runs[0].folder, made.runs[1].folder
    for epoch in range(1, 8):
        first.append_event(
            Event(epoch=epoch, step=epoch, time=0.0, metrics={"train_loss": 0.5, "miou": 0.7})
        )
    first.write_progress(
        Progress(
            epoch=8, epochs=14, step_in_epoch=0, steps_per_epoch=20, loss=0.25, time=time.time()
        )
    )
    second.write_failure(Failure(kind="error", message="m", detail="", time=0.0))
    return made


def shown(plan: Plan, monkeypatch: pytest.MonkeyPatch, *, terminal: bool, height: int = 40) -> str:
    """All that the display prints while the first run is held and then let go."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, height=height, no_color=True)
    monkeypatch.setattr(display, "out", console)
    with Display(plan, quiet=False), plan.runs[0].folder.claim():
        time.sleep(1.3)
    return text.getvalue()


def test_a_terminal_gets_a_row_for_each_run(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(plan, monkeypatch, terminal=True)
    (first, *_) = [
        line for line in text.splitlines() if "translandseg-1 " in line and "runn" in line
    ]
    assert "7/8" in first
    assert "0.2500" in first
    assert "0.7000" in first
    assert any("translandseg-2" in line and "failed" in line for line in text.splitlines())
    assert all(run.spec.name in text for run in plan.runs)
    assert "0 of 10 done · 1 failed" in text


def test_a_small_terminal_shows_what_runs(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(plan, monkeypatch, terminal=True, height=8)
    assert "translandseg-1 " in text
    assert "translandseg-9" not in text
    assert "7 not shown" in text


def test_elsewhere_changes_are_lines(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(plan, monkeypatch, terminal=False).splitlines()
    assert lines[0] == "translandseg-1: running, epoch 7/8, loss 0.2500, MIoU 0.7000"
    assert not any("translandseg-2" in line for line in lines)


def test_quiet_shows_nothing(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(display, "out", Console(file=text))
    with Display(plan, quiet=True):
        time.sleep(0.7)
    assert text.getvalue() == ""


def test_a_slow_look_is_followed_by_a_long_rest(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of runs take long to look at; the display must not take the time of the work."""
    looks: list[float] = []

    def slow_look(watched: object) -> bool:
        if watched is shown_first:
            looks.append(time.monotonic())
            time.sleep(0.2)
        return False

    monkeypatch.setattr(display, "out", Console(file=io.StringIO()))
    monkeypatch.setattr(display, "_POLL_S", 0.01)
    shown_first = None
    monkeypatch.setattr(display._Watched, "look", slow_look)
    with Display(plan, quiet=False) as made:
        shown_first = made._watched[0]
        time.sleep(1.2)
    # The first at once, the second would come after 1.8 s of rest, the last is that of the end.
    assert len(looks) == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (245, "4 min 05 s"), (3720, "1 h 02 min")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
