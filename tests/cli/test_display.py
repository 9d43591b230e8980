"""What is shown while a sweep runs."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ablate.cli import display, run
from ablate.cli.display import Display, duration
from ablate.runs import RunFolder, State
from ablate.study import EndedRun, RunProgress


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def new(name: str) -> RunProgress:
    return RunProgress(name, 0, State.NEW, 0.0, 0, 8, None, None)


def training(run: RunProgress, share: float) -> RunProgress:
    return replace(run, state=State.RUNNING, share=share, epoch=int(share * 8), loss=0.25, miou=0.7)


RUNS = [new(f"translandseg-{number}") for number in range(1, 11)]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a terminal of 120 columns and 40 lines is sent."""
    yield from _screen(monkeypatch, height=40)


@pytest.fixture
def small_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    yield from _screen(monkeypatch, height=8)


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written where there is no terminal."""
    text = io.StringIO()
    monkeypatch.setattr(display, "out", Console(file=text, width=120, markup=False, emoji=False))
    return text


def _screen(monkeypatch: pytest.MonkeyPatch, height: int) -> Iterator[io.StringIO]:
    text = io.StringIO()
    console = Console(
        file=text,
        force_terminal=True,
        width=120,
        height=height,
        no_color=True,
        markup=False,
        emoji=False,
    )
    monkeypatch.setattr(display, "out", console)
    yield text


def last_frame(screen: io.StringIO) -> list[str]:
    """The lines since the table was last drawn from its first row."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    lines = [line for line in text.splitlines() if line.strip()]
    first = max(index for index, line in enumerate(lines) if RUNS[0].name + " " in line)
    return lines[first:]


def test_a_terminal_gets_a_row_for_each_run(screen: io.StringIO) -> None:
    clock = Clock()
    failed = replace(RUNS[1], state=State.FAILED)
    with Display(clock) as shown:
        shown([RUNS[0], failed, *RUNS[2:]])
        shown([training(RUNS[0], 0.5), failed, *RUNS[2:]])
        clock.now += 60
        shown([training(RUNS[0], 0.875), failed, *RUNS[2:]])
    first, second, *_ = frame = last_frame(screen)
    assert "running" in first
    assert "7/8" in first
    assert "loss 0.2500" in first
    assert "MIoU 0.7000" in first
    assert "failed" in second
    assert all(any(run.name in line for line in frame) for run in RUNS)
    assert "0 of 10 done · 1 running · 1 failed · 19% · 1 min 00 s spent" in frame[-1]


def test_the_time_that_is_left_follows_from_the_pace(screen: io.StringIO) -> None:
    clock = Clock()
    (run,) = RUNS[:1]
    with Display(clock) as shown:
        shown([run])
        for share in (0.0, 0.25, 0.5):
            shown([training(run, share)])
            clock.now += 60
        shown([training(run, 0.75)])
    row, *_, total = last_frame(screen)
    assert "01:00" in row
    assert "about 1 min 00 s left" in total


def test_a_small_terminal_shows_what_runs(small_screen: io.StringIO) -> None:
    with Display() as shown:
        shown([*RUNS[:9], training(RUNS[9], 0.5)])
    text = small_screen.getvalue()
    assert "translandseg-10" in text
    assert "translandseg-9" not in text
    assert "7 not shown" in text


def test_elsewhere_all_runs_have_one_line_now_and_then(file: io.StringIO) -> None:
    clock = Clock()
    failed = replace(RUNS[1], state=State.FAILED)
    with Display(clock) as shown:
        shown([RUNS[0], failed])
        for share in (0.1, 0.2, 0.3):
            clock.now += 3
            shown([training(RUNS[0], share), failed])
        clock.now += 1
        shown([training(RUNS[0], 0.5), failed])
        clock.now += 5
        shown([replace(RUNS[0], state=State.DONE, share=1.0, epoch=8, miou=0.8), failed])
    assert file.getvalue().splitlines() == [
        "0 of 2 done · 1 failed · 50% · 0 s spent",
        "0 of 2 done · 1 running · 1 failed · 75% · 10 s spent · about 10 s left",
        "1 of 2 done · 1 failed · 100% · 15 s spent",
    ]


def test_where_nothing_has_changed_nothing_is_said_at_the_end(file: io.StringIO) -> None:
    with Display(Clock()) as shown:
        shown(RUNS)
        shown(RUNS)
    assert file.getvalue() == "0 of 10 done · 0% · 0 s spent\n"
    with Display(Clock()):
        pass
    assert file.getvalue().count("\n") == 1


def test_a_sweep_of_a_week_has_a_bounded_number_of_lines(file: io.StringIO) -> None:
    clock, runs = Clock(), [training(run, 0.0) for run in RUNS]
    seconds = 7 * 24 * 3600
    with Display(clock) as shown:
        for second in range(0, seconds, 5):
            clock.now += 5
            shown([training(run, second / seconds) for run in runs])
    lines = file.getvalue().splitlines()
    assert 100 < len(lines) < 250
    # The first minutes are told closely.
    assert sum(" min " not in line.split(" · ")[3] for line in lines) >= 6


def test_lines_are_flushed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.txt"
    with path.open("w") as buffered:
        monkeypatch.setattr(display, "out", Console(file=buffered, width=120))
        Display(Clock())(RUNS)
        assert path.read_text() == "0 of 10 done · 0% · 0 s spent\n"


@pytest.mark.parametrize("many", ["split", "seed"])
def test_what_there_are_several_of_is_named(screen: io.StringIO, many: str) -> None:
    pair = [training(RUNS[0], 0.5), training(replace(RUNS[0], **{many: 1}), 0.5)]
    with Display(Clock()) as shown:
        shown(pair)
    text = screen.getvalue()
    assert f"translandseg-1 {many} 0" in text
    assert f"translandseg-1 {many} 1" in text


def test_names_are_printed_literally(screen: io.StringIO) -> None:
    with Display() as shown:
        shown([new("[red]x[/x] :smile:"), RUNS[0]])
    assert "[red]x[/x] :smile:" in screen.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (245, "4 min 05 s"), (3720, "1 h 02 min")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_failures_name_their_split_where_there_are_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.StringIO()
    monkeypatch.setattr(run, "err", Console(file=text, width=500, markup=False, emoji=False))
    failed = EndedRun("translandseg", 3, State.FAILED, RunFolder(tmp_path), None, 2)
    run.print_failures([failed], has_splits=True)
    run.print_failures([failed])
    first, second = text.getvalue().splitlines()
    assert first.startswith("failed: translandseg split 2 seed 3: without a cause")
    assert second.startswith("failed: translandseg seed 3: without a cause")
