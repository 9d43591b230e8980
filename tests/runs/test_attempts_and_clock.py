"""A clock that is set back does not change the order of the attempts at a run."""

from pathlib import Path

from ablate.runs import Attempt, RunFolder, SpecFile
from ablate.spec import RunSpec
from runs.test_folder import PROVENANCE


def attempt(time_s: float) -> Attempt:
    return Attempt(started=time_s, seen=time_s, device="cpu", device_name="a", shared_by=1)


def begun(path: Path, run_spec: RunSpec, *times_s: float) -> RunFolder:
    folder = RunFolder(path / run_spec.key)
    provenance = PROVENANCE.model_copy(update={"created": 1000.0})
    folder.create(SpecFile(key=run_spec.key, run=run_spec, provenance=provenance))
    for time_s in times_s:
        noted = folder.begin_attempt(attempt(time_s))
        folder.update_attempt(noted.model_copy(update={"seen": noted.started + 5.0}), is_over=False)
    return folder


def test_attempts_follow_each_other(tmp_path: Path, run_spec: RunSpec) -> None:
    folder = begun(tmp_path, run_spec, 1001.0, 500.0, 1002.0, 2000.0)
    found = folder.attempts()
    assert [round(each.started, 3) for each in found] == [1001.0, 1006.001, 1011.002, 2000.0]
    assert [each.ending for each in found] == ["killed"] * 4
    assert all(each.seen > each.started for each in found)


def test_none_begins_before_the_run_was_created(tmp_path: Path, run_spec: RunSpec) -> None:
    (only,) = begun(tmp_path, run_spec, 10.0).attempts()
    assert only.started == 1000.0


def test_two_in_the_same_millisecond_are_two(tmp_path: Path, run_spec: RunSpec) -> None:
    folder = begun(tmp_path, run_spec)
    for _ in range(2):
        folder.begin_attempt(attempt(1001.0))
    assert len(folder.attempts()) == 2
