"""What a sweep has cost: by row and state, with shares, peaks, energy and the words on compute."""

from collections.abc import Sequence

import pytest

from ablate.report import Report
from ablate.report.costs_model import CostLine
from ablate.report.costs_table import costs_table
from ablate.report.writers import WRITERS, render
from ablate.runs import Attempt, Ending, PeakMemory, RunFolder
from report.sweep_on_disk import SweepOnDisk
from report.tuning_on_disk import TuningOnDisk
from structures import labelled_structure

A, B = "translandseg-1", "translandseg"
GPU = "NVIDIA H100"


def leave(
    folder: RunFolder,
    *seconds: float,
    endings: Sequence[Ending | None] = (),
    shared_by: int = 1,
    memory: int | None = 2_000_000_000,
    energy_j: float | None = None,
    device: str = "cpu",
    beside_others: bool = False,
) -> None:
    """Attempts at a run, oldest first; the last has the ending that its folder shows."""
    where = "process" if device == "cpu" else "device"
    for number, device_s in enumerate(seconds):
        attempt = Attempt(
            started=1.7e9 + 100 * number,
            seen=1.7e9 + 100 * number + device_s,
            device=device,
            device_name="A processor" if device == "cpu" else GPU,
            shared_by=shared_by,
            device_s=device_s,
            memory=memory
            and PeakMemory(
                where=where,
                held_bytes=memory,
                reserved_bytes=None if device == "cpu" else 2 * memory,
            ),
            energy_j=energy_j,
            beside_others=beside_others,
            ending=endings[number] if number < len(endings) else None,
        )
        folder.update_attempt(attempt, is_over=True)


def line_of(report: Report, label: str) -> CostLine:
    assert report.costs is not None
    return next(line for line in report.costs.lines if line.label == label)


def cells_of(report: Report, label: str) -> dict[str, str]:
    assert report.costs is not None
    table = costs_table(report.costs, None)
    keys = [column.key for column in table.columns]
    return next(
        dict(zip(keys, [cell.text for cell in row], strict=True))
        for row in table.rows
        if row[0].text == label
    )


@pytest.fixture
def three(table: SweepOnDisk) -> SweepOnDisk:
    """A row that was killed once and is done, one that failed, one that was never begun."""
    table.names = (A, B, "translandseg-2")
    table.finish(A)
    leave(table.folder(A), 4.0, 10.0, endings=("killed",), shared_by=2, memory=3_000_000_000)
    table.fail(B)
    leave(table.folder(B), 6.0, shared_by=2)
    return table


def test_each_attempt_counts_where_it_ended(three: SweepOnDisk) -> None:
    report = three.report()
    done = line_of(report, "TransLandSeg-1")
    assert (done.done.device_s, done.abandoned.device_s, done.failed.device_s) == (10.0, 4.0, 0.0)
    assert done.per_run_s == 14.0
    failed = line_of(report, "TransLandSeg")
    assert (failed.failed.device_s, failed.failed.attempts, failed.per_run_s) == (6.0, 1, None)
    assert report.costs is not None
    total = report.costs.total
    assert total.all.device_s == sum(line.all.device_s for line in report.costs.lines) == 20.0
    assert (total.runs, total.recorded, total.all.attempts) == (2, 2, 3)
    assert cells_of(report, "TransLandSeg-1") == {
        "label": "TransLandSeg-1",
        "runs": "1",
        "per_run": "14.0",
        "done": "10.0",
        "failed": "0.0",
        "abandoned": "4.0",
        "total": "14.0",
        "together": "2",
        "memory": "3.00",
    }
    assert cells_of(report, "TransLandSeg")["per_run"] == "none done"
    assert set(list(cells_of(report, "TransLandSeg-2").values())[2:]) == {"not run", "—"}


def test_the_statement_on_compute_is_in_every_format_of_text(three: SweepOnDisk) -> None:
    report = three.report()
    assert report.costs is not None
    paragraph = report.costs.paragraph
    assert paragraph == (
        "2 runs in 3 attempts, at most 2 at once, on the processor A processor. A run that is done "
        "took 14.0 s in the mean, as its share of the time of those trained together. Peak "
        "memory of the process: 3.00 GB, with 2 runs at once. In all 20.0 s (0.01 h) of the "
        "device: 10.0 s for attempts with a result, 6.0 s for failed ones, 4.0 s for abandoned "
        "ones. Energy is not recorded. Included: failed and abandoned attempts. Not included: what "
        "was computed in other stores or outside of ablate."
    )
    for each in set(WRITERS) - {"csv"}:
        assert "took 14.0 s in the mean" in " ".join(render(report, each).split()), each


def test_a_gpu_shows_what_was_reserved_and_its_energy(table: SweepOnDisk) -> None:
    table.names = (A, B)
    for name, share in ((A, 20_000.0), (B, 30_000.0)):
        table.finish(name)
        leave(table.folder(name), share, energy_j=7.2e6, device="cuda:0")
    report = table.report()
    cells = cells_of(report, "TransLandSeg")
    # Hours, since the whole is more than ten of them.
    assert (cells["done"], cells["energy"]) == ("8.33", "2000.00")
    assert cells["memory"] == "2.00 (4.00 reserved)"
    assert report.costs is not None
    assert "the accelerator NVIDIA H100" in report.costs.paragraph
    assert "Energy of the accelerators: 4000.00 Wh." in report.costs.paragraph
    assert "at once" not in report.costs.paragraph


def test_time_beside_other_cohorts_is_more_than_that_of_the_device(table: SweepOnDisk) -> None:
    table.names = (A, B)
    table.finish(A)
    leave(table.folder(A), 4.0, 10.0, endings=("interrupted",), device="cuda:0", beside_others=True)
    table.finish(B)
    leave(table.folder(B), 6.0, device="cuda:0")
    costs = table.report().costs
    assert costs is not None
    assert (
        " 2 attempts could share the device with others: each counts with all of its own time, "
        "so that they add up to more than the device's. Energy is not recorded."
    ) in costs.paragraph


def test_an_older_store_has_no_record_of_its_cost(table: SweepOnDisk) -> None:
    table.names = (A, B)
    table.finish(A)
    report = table.report()
    assert report.costs is not None
    assert report.costs.paragraph == "The cost of these runs is not recorded."
    cells = cells_of(report, "TransLandSeg-1")
    assert (cells["runs"], cells["done"], cells["memory"]) == (
        "1, 0 recorded",
        "not recorded",
        "not recorded",
    )
    table.finish(B)
    leave(table.folder(B), 5.0)
    costs = table.report().costs
    assert costs is not None
    assert costs.paragraph.endswith("The cost of 1 further run is not recorded.")


def test_a_record_that_cannot_be_read_is_named(three: SweepOnDisk) -> None:
    (path,) = (three.folder(B).path / "attempts").iterdir()
    path.write_text("{")
    costs = three.report().costs
    assert costs is not None
    assert (costs.total.runs, costs.total.recorded) == (2, 1)
    (problem,) = costs.problems
    assert path.relative_to(three.root).as_posix() in problem
    assert any(problem in note for note in costs_table(costs, None).notes)


def test_runs_of_a_row_that_has_changed_are_a_line_of_their_own(table: SweepOnDisk) -> None:
    table.names = (A, B)
    table.finish(A)
    leave(table.folder(A), 8.0)
    table.start()
    table.variants = {A: labelled_structure("translandseg-4")}
    table.finish(A)
    leave(table.folder(A), 9.0)
    report = table.report()
    assert line_of(report, "rows as they were before").all.device_s == 8.0
    assert sum(each.all.device_s for each in report.costs.lines if each.kind == "row") == 9.0
    assert "8.0 s for rows as they were before" in report.costs.paragraph


def test_the_trials_of_a_tuning_are_lines_of_their_own(tuning: TuningOnDisk) -> None:
    for number, trial in enumerate(tuning.trials, start=1):
        leave(tuning.sweep.store.run(trial.run.key), float(number))
    for row in tuning.tuned:
        for run in row.runs:
            leave(tuning.sweep.store.run(run.key), 100.0)
    costs = tuning.sweep.report().costs
    assert costs is not None
    lines = {line.kind: line for line in costs.lines}
    trials = len({trial.run.key for trial in tuning.trials})
    assert lines["trials"].recorded == trials
    assert lines["tuned"].all.device_s == 100.0 * lines["tuned"].recorded > 0
    assert costs.total.all.device_s == sum(line.all.device_s for line in costs.lines)
    assert "all trials of the tuning" in costs.paragraph
