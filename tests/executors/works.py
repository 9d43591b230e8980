"""Work for executors, found by its import path; none of it trains."""

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ablate.errors import STOP_SIGNALS, Interrupted, SpecError
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


def finish_all(folders: Sequence[Path], device: str) -> None:
    for path in folders:
        finish(RunFolder(path), device)


def finish_when_released(folders: Sequence[Path], device: str) -> None:
    """Waits until there is ``release`` beside the runs' folders."""
    until((folders[0].parent / "release").exists)
    finish_all(folders, device)


def raise_at_the_second(folders: Sequence[Path], device: str) -> None:
    """Work that cannot be done as soon as translandseg-2 is part of the cohort."""
    if any(RunFolder(path).spec().name == "translandseg-2" for path in folders):
        raise ValueError("the device is gone\nand more")
    finish_all(folders, device)


def stop_at_the_second(folders: Sequence[Path], device: str) -> None:
    """Work that is stopped by something else than its executor at translandseg-2."""
    for path in folders:
        folder = RunFolder(path)
        if folder.spec().name == "translandseg-2":
            folder.save_checkpoint(1, b"state")
            raise Interrupted("stopped")
        finish(folder, device)


def die_at_the_second_and_fourth(folders: Sequence[Path], device: str) -> None:
    """Work whose process the operating system kills in translandseg-2 and in translandseg-4."""
    for path in folders:
        folder = RunFolder(path)
        if folder.spec().name in ("translandseg-2", "translandseg-4"):
            os.write(1, b"the last words\n")
            os.kill(os.getpid(), signal.SIGKILL)
        finish(folder, device)


def wait_at_the_second(folders: Sequence[Path], device: str) -> None:
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


def never_stop_at_the_second(folders: Sequence[Path], device: str) -> None:
    """Hangs in translandseg-2, whatever it is sent."""
    for path in folders:
        folder = RunFolder(path)
        if folder.spec().name == "translandseg-2":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            (path / "waiting").touch()
            time.sleep(PATIENCE_S)
        finish(folder, device)


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


def touch_folders(folders: Sequence[Path], device: str) -> None:
    for path in folders:
        path.touch()


def refuse() -> None:
    """Bad input that is found where torch is."""
    raise SpecError(["a.yaml: first", "a.yaml: second"])
