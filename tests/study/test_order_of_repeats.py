"""A whole table exists early: the first repeat of every row is trained first."""

from pathlib import Path

from ablate.runs import State, Store
from ablate.study import Study
from tiny_sweeps import tiny_study


def seeds_in_order(study: Study, store: Path) -> list[int]:
    """The seeds of all runs, as they have ended."""
    runs = study.plan().plan.runs
    finished = {}
    for run in runs:
        result = Store(store).run(run.folder.key).result()
        assert result is not None
        finished[run.folder.key] = result.finished
    ended = sorted(runs, key=lambda run: finished[run.folder.key])
    return [run.spec.seed for run in ended]


def test_the_first_seed_of_every_row_comes_first(tmp_path: Path) -> None:
    store = tmp_path / "store"
    # The seeds in another order, and each run alone: nothing but the plan orders them.
    study = tiny_study(store, executor="inline", seeds=(1, 0), cohort_size=1)
    outcome = study.run()
    assert outcome.count(State.DONE) == len(outcome.runs) == 4
    assert seeds_in_order(study, store) == [0, 0, 1, 1]
