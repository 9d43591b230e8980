"""``--cohort-size`` reaches the worker."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ablate.cli.run import ExecutorName, run


@pytest.mark.parametrize("size", [None, 2])
def test_the_worker_is_told_how_many_runs_to_train_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    told: list[tuple[int, str, int | None]] = []

    def work(folders: Sequence[Path], device: str, cohort_size: int | None) -> None:
        told.append((len(folders), device, cohort_size))

    monkeypatch.setattr("ablate.train.work", work)
    run(
        grid="table4",
        protocol="demo",
        variant=["translandseg", "translandseg-8"],
        device=["cpu"],
        executor=ExecutorName.INLINE,
        cohort_size=size,
        store=tmp_path / "store",
        track=False,
        quiet=True,
    )
    assert told == [(2, "cpu", size)]
