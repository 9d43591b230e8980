"""What a run cost is in its folder, whichever way its attempts have ended."""

import mmap
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ablate.errors import Interrupted
from ablate.runs import RunFolder
from ablate.train import work
from ablate.train.energy import energy_counter
from ablate.train.meter import Meter
from ablate.train.peak_memory import peak_memory, reset_peak_memory
from train.run_helpers import PlanRun, stop_after

CPU = torch.device("cpu")
LONG = "epochs=10000"


def test_a_run_that_is_done_has_its_cost_before_its_result(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plan_run("translandseg")
    seen = []
    publish = RunFolder.publish_result

    def publish_result(self: RunFolder, result: Any) -> None:
        seen.extend(self.attempts())
        publish(self, result)

    monkeypatch.setattr(RunFolder, "publish_result", publish_result)
    started = time.time()
    work([folder.path], "cpu")
    (attempt,) = folder.attempts()
    assert attempt.ending == "done"
    assert [before.device_s for before in seen] == [attempt.device_s]
    assert started <= attempt.started <= attempt.seen <= time.time()
    assert (attempt.shared_by, attempt.device) == (1, "cpu")
    assert attempt.device_name
    assert attempt.energy_j is None
    assert attempt.memory is not None
    assert attempt.memory.where == "process"
    # Python with torch and a model: anything else is another unit.
    assert 50e6 < attempt.memory.held_bytes < 20e9


def test_the_shares_of_all_attempts_add_up_to_the_time_that_the_device_was_held(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("translandseg", "translandseg-1", "translandseg-5")
    folders = [plan_run(name) for name in names]
    zero_shot = plan_run("sam-points")
    held_s = 0.0
    started = time.monotonic()
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(Interrupted):
            work([folder.path for folder in folders], "cpu")
    held_s += time.monotonic() - started
    assert [[each.ending for each in folder.attempts()] for folder in folders] == [
        ["interrupted"]
    ] * 3
    for cohort in (folders, [zero_shot]):
        started = time.monotonic()
        work([folder.path for folder in cohort], "cpu")
        held_s += time.monotonic() - started
    attempts = [each for folder in (*folders, zero_shot) for each in folder.attempts()]
    assert [each.ending for each in attempts] == ["interrupted", "done"] * 3 + ["done"]
    assert [each.shared_by for each in attempts] == [3] * 6 + [1]
    # Without what comes before the claims and after the last bill, which waits for the disk.
    assert sum(each.device_s for each in attempts) == pytest.approx(held_s, rel=0.15)
    # Three models of one size: none of them pays for another.
    done = [folder.attempts()[-1].device_s for folder in folders]
    assert max(done) < 3 * min(done)


def test_a_run_that_fails_pays_until_it_leaves_the_cohort(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, other = plan_run("translandseg-1"), plan_run("translandseg")
    with monkeypatch.context() as patch:
        append = RunFolder.append_event

        def broken(self: RunFolder, event: Any) -> None:
            if self.key == failing.key:
                raise RuntimeError("no luck")
            append(self, event)

        patch.setattr(RunFolder, "append_event", broken)
        work([failing.path, other.path], "cpu")
    (failed,), (done,) = failing.attempts(), other.attempts()
    assert (failed.ending, done.ending) == ("failed", "done")
    assert 0 < failed.device_s < done.device_s
    assert failed.seen < done.seen
    work([failing.path], "cpu")
    assert [each.ending for each in failing.attempts()] == ["failed", "done"]


def test_what_prevents_a_whole_cohort_is_a_failed_attempt_of_each_run(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plan_run("translandseg")

    def broken(*_: object) -> None:
        raise RuntimeError("no data")

    monkeypatch.setattr("ablate.train.worker._cohort_setup", broken)
    work([folder.path], "cpu")
    assert [each.ending for each in folder.attempts()] == ["failed"]


def test_an_attempt_that_was_killed_counts_up_to_its_last_sign_of_life(plan_run: PlanRun) -> None:
    folder = plan_run("translandseg", LONG)
    started = time.time()
    command = (
        "import sys; from pathlib import Path; from ablate.train import work; "
        "work([Path(sys.argv[1])], 'cpu')"
    )
    process = subprocess.Popen([sys.executable, "-c", command, str(folder.path)])
    try:
        while not (attempts := folder.attempts()) or attempts[-1].device_s < 1.0:
            assert process.poll() is None
            assert time.time() < started + 120
            time.sleep(0.05)
        assert attempts[-1].ending == "running"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    ended = time.time()
    (attempt,) = folder.attempts()
    assert attempt.ending == "killed"
    assert attempt.memory is not None
    assert started < attempt.seen <= ended
    assert 1.0 <= attempt.device_s <= ended - started
    # The next attempt settles it, and costs for itself.
    again = Meter([folder], CPU)
    again.charge([folder])
    again.end(folder)
    assert [each.ending for each in folder.attempts()] == ["killed", "killed"]
    assert folder.attempts()[0].device_s == attempt.device_s


def test_a_bill_that_cannot_be_written_fails_no_run(
    plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = plan_run("translandseg")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunFolder, "begin_attempt", full)
    monkeypatch.setattr(RunFolder, "update_attempt", full)
    work([folder.path], "cpu")
    assert folder.result() is not None
    assert folder.attempts() == []


def test_energy_is_split_as_the_time_is(plan_run: PlanRun, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two seconds of both runs, then half of the first and one and a half of the second.
    clock, counter = iter([0.0, 2.0, 2.0, 2.5, 4.0, 4.0, 4.0]), iter([100.0, 130.0, 170.0])
    fake_time = SimpleNamespace(monotonic=lambda: next(clock), time=time.time)
    monkeypatch.setattr("ablate.train.meter.energy_counter", lambda device: lambda: next(counter))
    monkeypatch.setattr("ablate.train.meter.time", fake_time)
    first, second = plan_run("translandseg"), plan_run("translandseg-1")
    meter = Meter([first, second], CPU)
    assert meter.charge([first, second]) == 1.0
    assert meter.charge([first]) == 0.5
    meter.end(second)
    meter.end(first)
    (one,), (two,) = first.attempts(), second.attempts()
    assert (one.device_s, two.device_s) == (1.5, 2.5)
    # 30 J in equal parts; 40 J, of which the first has a quarter.
    assert (one.energy_j, two.energy_j) == (25.0, 45.0)


class NvmlError(Exception):
    pass


def fake_nvml(asked: list[str], *, counts: bool = True) -> SimpleNamespace:
    """The functions of ``pynvml`` that are used, on a device that has counted 7 kJ."""

    def handle(uuid: str) -> str:
        asked.append(uuid)
        return uuid

    def energy_mj(handle: str) -> int:
        if not counts:
            raise NvmlError("Not Supported")
        return 7_000_000

    return SimpleNamespace(
        NVMLError=NvmlError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetTotalEnergyConsumption=energy_mj,
    )


def test_energy_is_read_in_joules_where_the_driver_counts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="12-34")
    )
    device = torch.device("cuda:0")
    asked: list[str] = []
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(asked))
    assert energy_counter(device)() == 7_000.0
    assert asked == ["GPU-12-34"]
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(asked, counts=False))
    assert energy_counter(device)() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert energy_counter(device)() is None
    assert energy_counter(CPU)() is None


def test_peak_memory_is_that_since_the_last_reset() -> None:
    reset_peak_memory(CPU)
    before = peak_memory(CPU).held_bytes
    # Not from the allocator, which may have kept what earlier tests have freed.
    with mmap.mmap(-1, 200_000_000) as block:
        block.write(bytes(len(block)))
        assert peak_memory(CPU).held_bytes - before > 150e6
    assert peak_memory(CPU).held_bytes - before > 150e6


def test_peak_memory_of_a_gpu_is_what_its_tensors_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 5)
    found = peak_memory(torch.device("cuda:0"))
    assert (found.where, found.held_bytes, found.reserved_bytes) == ("device", 3, 5)
