"""Work for executors, found by its import path; none of it trains."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ablate.errors import STOP_SIGNALS, Interrupted, OutOfSharedMemory, SpecError
from ablate.runs import Machine, Parameters, Result, RunFolder

PATIENCE_S = 60.0


def finish(folder: RunFolder, device: str) -> None:
    """Makes a run done; its result says by which process, on which device, with how many threads.

    Each call leaves a line in the run's folder.
    """
    with (folder.path / "attempts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    folder.publish_result(
        Result(
            key=folder.key,
            epoch=1,
            epochs=1,
            steps=1,
            metrics={"miou": 0.5},
            confusion={"tp": 1, "fp": 1, "fn": 1, "tn": 1},
            parameters=Parameters(total=1, trainable=1, adapter=1, sites=1),
            weights_sha256="0" * 64,
            machine=Machine(
                device=device,
                device_name=str(os.getpid()),
                threads=int(os.environ.get("OMP_NUM_THREADS", "0")),
                precision="float32",
                torch="0",
            ),
            finished=time.time(),
            train_s=0.0,
        )
    )


def finish_all(folders: Sequence[Path], device: str, shared: object = None) -> None:
    for path in folders:
        finish(RunFolder(path), device)


def finish_when_released(folders: Sequence[Path], device: str, shared: object = None) -> None:
    """Waits until there is ``release`` beside the runs' folders."""
    until((folders[0].parent / "release").exists)
    finish_all(folders, device)


def raise_at_the_second(folders: Sequence[Path], device: str, shared: object = None) -> None:
    """Work that cannot be done as soon as translandseg-2 is part of the cohort."""
    if any(RunFolder(path).spec().name == "translandseg-2" for path in folders):
        raise ValueError("the device is gone\nand more")
    finish_all(folders, device)


def stop_at_the_second(folders: Sequence[Path], device: str, shared: object = None) -> None:
    """Work that is stopped by something else than its executor at translandseg-2."""
    for path in folders:
        folder = RunFolder(path)
        if folder.spec().name == "translandseg-2":
            folder.save_checkpoint(1, b"state")
            raise Interrupted("stopped")
        finish(folder, device)


def die_at_the_second_and_fourth(
    folders: Sequence[Path], device: str, shared: object = None
) -> None:
    """Work whose process the operating system kills in translandseg-2 and in translandseg-4."""
    for path in folders:
        folder = RunFolder(path)
        if folder.spec().name in ("translandseg-2", "translandseg-4"):
            os.write(1, b"the last words\n")
            os.kill(os.getpid(), signal.SIGKILL)
        finish(folder, device)


def wait_at_the_second(folders: Sequence[Path], device: str, shared: object = None) -> None:
    """Waits in translandseg-2, where it leaves ``waiting``, until it is stopped; saves its state.

    Where it finds ``release`` it goes on.
    """
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        for path in folders:
            folder = RunFolder(path)
            if folder.spec().name == "translandseg-2":
                (path / "waiting").touch()
                until(lambda path=path: stopped.is_set() or (path / "release").exists())
            if stopped.is_set():
                folder.save_checkpoint(1, b"state")
                raise Interrupted("stopped")
            finish(folder, device)
    finally:
        signal.signal(signal.SIGTERM, before)


def never_stop_at_the_second(folders: Sequence[Path], device: str, shared: object = None) -> None:
    """Hangs in translandseg-2, whatever it is sent."""
    for path in folders:
        folder = RunFolder(path)
        if folder.spec().name == "translandseg-2":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            (path / "waiting").touch()
            time.sleep(PATIENCE_S)
        finish(folder, device)


# Several cohorts on one device. The folder ``present`` beside the runs has a file for each cohort
# that is there, with the number of its process.


@contextmanager
def present(path: Path) -> Iterator[Path]:
    """While this is open, a cohort is on the device; gives the folder of all that are."""
    folder = path.parent / "present"
    folder.mkdir(exist_ok=True)
    (folder / path.name).write_text(str(os.getpid()))
    try:
        yield folder
    finally:
        (folder / path.name).unlink()


def count(folder: Path) -> int:
    return len(list(folder.iterdir()))


def share_memory(folders: Sequence[Path], device: str, shared: Any) -> None:
    """Takes 4 GB of 30, and waits until there are three cohorts at once, or were.

    Leaves ``too-early`` where another one has begun before this one has reported.
    """
    with present(folders[0]) as others:
        before = count(others)
        time.sleep(0.3)
        if count(others) > before:
            (folders[0] / "too-early").touch()
        shared.report_memory(4 * 2**30, (3 - before) * 10 * 2**30)
        three = others.parent / "three"
        if before == 3:
            three.touch()
        until(three.exists)
        finish_all(folders, device)


def run_short_beside_others(folders: Sequence[Path], device: str, shared: Any) -> None:
    """Needs more memory in translandseg-2 than there is beside others."""
    is_large = any(RunFolder(path).spec().name == "translandseg-2" for path in folders)
    with present(folders[0]) as others:
        shared.report_memory(2**30, 30 * 2**30)
        until(lambda: count(others) == 2 or (others.parent / "company").exists())
        (others.parent / "company").touch()
        if is_large:
            assert shared.has_company
            RunFolder(folders[1]).save_checkpoint(1, b"state")
            raise OutOfSharedMemory("short")
        finish_all(folders, device)


def tell_whether_it_is_alone(folders: Sequence[Path], device: str, shared: Any = None) -> None:
    """The same; where it is alone, it leaves ``alone`` with the number of cohorts there."""
    if shared is not None:
        run_short_beside_others(folders, device, shared)
        return
    with present(folders[0]) as others:
        (folders[0] / "alone").write_text(str(count(others)))
        finish_all(folders, device)


def die_beside_others(folders: Sequence[Path], device: str, shared: Any) -> None:
    """Is killed in translandseg-2, beside another cohort, which goes on."""
    is_killed = any(RunFolder(path).spec().name == "translandseg-2" for path in folders)
    with present(folders[0]) as others:
        shared.report_memory(2**30, 30 * 2**30)
        company = others.parent / "company"
        until(lambda: count(others) == 2 or company.exists())
        company.touch()
        if is_killed:
            finish(RunFolder(folders[0]), device)
            os.kill(os.getpid(), signal.SIGKILL)
        finish_all(folders, device)


def need_two_shares_of_memory(folders: Sequence[Path], device: str, shared: object = None) -> None:
    """Is ended as Linux does it where memory is short: in translandseg-2, beside another cohort."""
    _be_ended_for_memory(folders, device, is_too_large=False)


def need_more_memory_than_there_is(
    folders: Sequence[Path], device: str, shared: object = None
) -> None:
    """The same, also where it is alone."""
    _be_ended_for_memory(folders, device, is_too_large=True)


def _be_ended_for_memory(folders: Sequence[Path], device: str, *, is_too_large: bool) -> None:
    """The file ``oom`` beside the runs counts as Linux does.

    Cohorts that begin later leave ``beside`` with the number of those that they met.
    """
    is_hungry = any(RunFolder(path).spec().name == "translandseg-2" for path in folders)
    oom = folders[0].parent / "oom"
    company = oom.with_name("company")
    with present(folders[0]) as others:
        until(lambda: count(others) == 2 or company.exists())
        company.touch()
        if is_hungry and (is_too_large or count(others) == 2):
            finish(RunFolder(folders[0]), device)
            died = int(oom.read_text().split()[-1]) + 1
            oom.write_text(f"oom_kill {died}\n")
            (others / folders[0].name).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.3)
        (folders[0] / "beside").write_text(str(count(others)))
        finish_all(folders, device)


def wait_beside_others(folders: Sequence[Path], device: str, shared: Any) -> None:
    """Waits until it is stopped, and saves its state."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with present(folders[0]):
        shared.report_memory(2**30, 30 * 2**30)
        until(stopped.is_set)
        RunFolder(folders[0]).save_checkpoint(1, b"state")
        raise Interrupted("stopped")


def until(condition) -> None:
    """Waits until something is so; fails where that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


def has_torch() -> bool:
    """Whether torch was there when this process began."""
    return "torch" in sys.modules


def heard_signals() -> list[str]:
    """The stop signals that this process neither ignores nor blocks."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return [
        number.name
        for number in STOP_SIGNALS
        if number not in blocked and signal.getsignal(number) is not signal.SIG_IGN
    ]


def search_path() -> list[str]:
    """Where this process looks for modules."""
    return sys.path


def touch_folders(folders: Sequence[Path], device: str, shared: object = None) -> None:
    for path in folders:
        path.touch()


def refuse() -> None:
    """Bad input that is found where torch is."""
    raise SpecError(["a.yaml: first", "a.yaml: second"])
