"""What is tried again, and what ends a sweep early: ``retry`` and ``keep_going``."""

from pathlib import Path

import pytest

from ablate.cli.run import print_ways_on
from ablate.errors import BadInput
from ablate.runs import RunFolder, State
from ablate.study import Study
from ablate.study.stopping import StopCheck
from study.test_second_start import work_with
from tiny_sweeps import tiny_study


@pytest.fixture(autouse=True)
def _untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("warm_up", "check_rows", "count_for_report"):
        monkeypatch.setattr(f"ablate.study.run.{name}", lambda *_: None)
    work_with(monkeypatch, "study.stopping_works:fail_seed_0")


def study(folder: Path, **words: object) -> Study:
    defaults = {"executor": "inline", "seeds": (0, 1), "cohort_size": 1}
    return tiny_study(folder / "store", **(defaults | words))


def test_without_retry_what_has_failed_is_left_alone(tmp_path: Path) -> None:
    first = study(tmp_path).run()
    assert (first.count(State.FAILED), first.count(State.DONE)) == (1, 3)
    (tmp_path / "store" / "runs" / "mended").touch()
    left = study(tmp_path, retry="none").run()
    assert left.pending == 0
    assert [run.state for run in left.failed] == [State.FAILED]
    again = study(tmp_path).run()
    assert (again.pending, again.count(State.DONE)) == (1, 4)


def test_what_was_never_tried_is_trained_without_retry(tmp_path: Path) -> None:
    study(tmp_path, seeds=(0,)).run()
    outcome = study(tmp_path, retry="none").run()
    assert (outcome.pending, outcome.count(State.DONE)) == (2, 3)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("diverged", "the same seed would diverge again; train its row with another seed"),
        ("faild", "'faild' does not say which runs are tried again; give failed or none"),
        ("", "give failed or none"),
    ],
)
def test_another_word_is_refused(tmp_path: Path, word: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        study(tmp_path, retry=word)


@pytest.mark.parametrize("work", ["fail_seed_0", "diverge_seed_0"])
def test_after_the_first_failure_nothing_new_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    work_with(monkeypatch, f"study.stopping_works:{work}")
    outcome = study(tmp_path, keep_going=False).run()
    assert outcome.is_cut_short
    assert [run.name for run in outcome.failed] == ["translandseg"]
    # Runs go one by one: none follows the one that failed.
    assert outcome.count(State.DONE) + outcome.count(State.NEW) == 3
    assert outcome.count(State.NEW) >= 2


def test_looking_for_failures_takes_a_small_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    looks = []

    def has_failure(folder: RunFolder) -> bool:
        looks.append(clock[0])
        clock[0] += 1.0
        return False

    runs = study(tmp_path).plan().plan.runs
    check = StopCheck(runs, lambda: False, keep_going=False)
    monkeypatch.setattr("ablate.study.stopping.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(RunFolder, "has_failure", has_failure)
    while clock[0] < 400:
        assert not check()
        clock[0] += 0.5
    # Four folders take four seconds, and every look is followed by 36 of rest.
    assert 10 * len(runs) <= len(looks) <= 11 * len(runs)
    check.raise_if_stopped()
    assert looks[-1] >= 400


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_what_is_trained_beside_it_saves_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    work_with(monkeypatch, "study.stopping_works:fail_then_wait")
    outcome = study(tmp_path, keep_going=False, cohort_size=2, executor=executor).run()
    assert outcome.is_cut_short
    found = {(run.name, run.seed): run.state for run in outcome.runs}
    assert found == {
        ("translandseg", 0): State.FAILED,
        ("translandseg-4", 0): State.INTERRUPTED,
        ("translandseg", 1): State.NEW,
        ("translandseg-4", 1): State.NEW,
    }


def test_an_earlier_failure_is_no_reason_to_stop(tmp_path: Path) -> None:
    study(tmp_path).run()
    outcome = study(tmp_path, seeds=(0, 1, 2), retry="none", keep_going=False).run()
    assert not outcome.is_cut_short
    assert outcome.count(State.DONE) == 5
    # Tried again, it fails anew.
    assert study(tmp_path, seeds=(0, 1, 3), keep_going=False).run().is_cut_short


def test_the_same_command_goes_on(tmp_path: Path) -> None:
    study(tmp_path, keep_going=False).run()
    (tmp_path / "store" / "runs" / "mended").touch()
    outcome = study(tmp_path, keep_going=False).run()
    assert outcome.count(State.DONE) == 4
    assert not outcome.is_cut_short


def test_ways_on_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    outcome = study(tmp_path).run()
    print_ways_on(outcome.failed, (0, 1), is_cut_short=True)
    said = capsys.readouterr().err
    assert "the same command continues, with --keep-going also after failures" in said
    assert "--seeds" not in said


def test_a_diverged_run_needs_another_seed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_with(monkeypatch, "study.stopping_works:diverge_seed_0")
    outcome = study(tmp_path).run()
    assert study(tmp_path).run().pending == 0
    print_ways_on(outcome.failed, (0, 1, 3), is_cut_short=False)
    assert "add another seed: --seeds 0,1,3,2\n" in capsys.readouterr().err
    print_ways_on(outcome.failed, range(12), is_cut_short=False)
    assert "add another seed: --seeds 12\n" in capsys.readouterr().err
