"""A tuning in Optuna's storage: it shows what the record says, whatever happened before."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from ablate.errors import StoreError
from ablate.spec import Domain
from ablate.tune.space import Space
from ablate.tune.storage import (
    Ending,
    RowStudy,
    StoredTrial,
    check_url,
    open_database,
    open_journal,
)

SPACE: Space = {"optimizer.lr": (Domain(low=1e-4, high=1e-2, log=True), False)}
THREE = [StoredTrial(n, {"optimizer.lr": n / 1000}, f"key-{n}") for n in (1, 2, 3)]
ONE_EACH = [
    replace(THREE[0], ending=Ending.DONE, value=0.5),
    replace(THREE[1], ending=Ending.FAILED),
    THREE[2],
]


@pytest.fixture(params=["journal", "database"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], object]:
    if request.param == "journal":
        return lambda: open_journal(tmp_path / "a.journal")
    return lambda: open_database(f"sqlite:///{tmp_path}/a.db")


def study(opened: Callable[[], object]) -> RowStudy:
    """As a process that has just begun has it."""
    return RowStudy(opened(), "sweep/row", SPACE)


def trials(opened: Callable[[], object]) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="sweep/row", storage=opened()).trials


def states(opened: Callable[[], object]) -> list[str]:
    return [trial.state.name for trial in trials(opened)]


def test_trials_are_asked_and_told(opened: Callable[[], object]) -> None:
    row = study(opened)
    row.begin(THREE)
    assert states(opened) == ["RUNNING"] * 3
    row.end(ONE_EACH)
    assert states(opened) == ["COMPLETE", "FAIL", "WAITING"]
    first, second, third = trials(opened)
    assert (first.value, first.params) == (0.5, {"optimizer.lr": 0.001})
    assert first.user_attrs == {"ablate.trial": 1, "ablate.run": "key-1"}
    assert (second.value, third.user_attrs["ablate.trial"]) == (None, 3)


def test_what_a_killed_process_left_running_is_taken_up_again(
    opened: Callable[[], object],
) -> None:
    study(opened).begin(THREE)
    again = study(opened)
    again.begin(THREE)
    assert states(opened) == ["RUNNING"] * 3
    again.end([replace(trial, ending=Ending.DONE, value=0.1) for trial in THREE])
    assert states(opened) == ["COMPLETE"] * 3


def test_what_was_killed_between_asking_and_drawing_is_taken_up_too(
    opened: Callable[[], object],
) -> None:
    row = study(opened)
    row.begin([])
    raw = optuna.load_study(study_name="sweep/row", storage=opened())
    attributes = {"ablate.trial": 1, "ablate.run": "key-1"}
    raw.enqueue_trial(dict(THREE[0].setting), user_attrs=attributes)
    raw.ask()  # no parameter was drawn
    again = study(opened)
    again.begin(THREE)
    assert states(opened) == ["RUNNING"] * 3
    assert trials(opened)[0].params == THREE[0].setting


def test_a_failed_trial_that_is_tried_again_is_a_new_one(opened: Callable[[], object]) -> None:
    row = study(opened)
    row.begin(THREE)
    row.end(ONE_EACH)
    retried = [ONE_EACH[0], THREE[1], THREE[2]]
    row.begin(retried)
    assert states(opened) == ["COMPLETE", "FAIL", "RUNNING", "RUNNING"]
    row.end([replace(trial, ending=Ending.DONE, value=0.2) for trial in retried])
    assert states(opened) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert [trial.user_attrs["ablate.trial"] for trial in trials(opened)] == [1, 2, 3, 2]


def test_what_others_put_into_the_queue_does_not_stay(opened: Callable[[], object]) -> None:
    row = study(opened)
    optuna.load_study(study_name="sweep/row", storage=opened()).enqueue_trial(
        {"optimizer.lr": 5e-3}
    )
    row.begin(THREE[:1])
    row.end([replace(THREE[0], ending=Ending.DONE, value=0.3)])
    assert states(opened) == ["FAIL", "COMPLETE"]


def test_a_line_that_a_kill_cut_short_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    RowStudy(open_journal(path), "sweep/row", SPACE).begin(THREE)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"work')
    row = RowStudy(open_journal(path), "sweep/row", SPACE)
    assert path.read_bytes().startswith(whole)
    assert all(line.endswith(b"}") for line in path.read_bytes().splitlines())
    row.end([replace(trial, ending=Ending.FAILED) for trial in THREE])
    found = optuna.load_study(study_name="sweep/row", storage=open_journal(path)).trials
    assert [trial.state for trial in found] == [TrialState.FAIL] * 3


def test_a_journal_of_something_else_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    path.write_text("not a journal\nat all\n")
    with pytest.raises(StoreError, match="remove the file: the next start fills it again"):
        open_journal(path)


@pytest.mark.parametrize("url", ["nonsense", "foo://x", "mysql://a:b@h:port/y", ""])
def test_a_url_that_can_never_work_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"--storage cannot be used .*sqlite:///tuning\.db"):
        check_url(url)


def test_a_database_that_cannot_be_opened_is_one_line() -> None:
    with pytest.raises(StoreError, match="unable to open database file; correct --storage"):
        open_database("sqlite:////nowhere/a.db")
