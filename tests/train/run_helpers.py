"""What several tests of this room do with a run's folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ablate.runs import Result, RunFolder
from ablate.train.signals import Stop

# A protocol so small that a run takes a second.
TINY = [
    "epochs=2",
    "batch_size=4",
    "image_size_px=64",
    "data={kind: generated, seed: 1, count: 20, size_px: 64}",
]
# Nine images, in batches of four: three steps, the last with a single image.
SHORT = "data={kind: generated, seed: 1, count: 14, size_px: 64}"

# A cohort looks twice whether it is to stop before its first step: with the data, and the weights.
_LOOKS_BEFORE = 2

PlanRun = Callable[..., RunFolder]


class StopAfter(Stop):
    """Requests a stop after a number of looks at it."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    @property
    def requested(self) -> bool:
        self._looks -= 1
        return self._looks < 0


def stop_after(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """Stops the work after a number of batches, evaluations or images."""

    @contextmanager
    def fake() -> Iterator[Stop]:
        yield StopAfter(_LOOKS_BEFORE + looks)

    monkeypatch.setattr("ablate.train.worker.stop_on_signals", fake)


def finished(folder: RunFolder) -> Result:
    """The result of a run that must be done."""
    result = folder.result()
    assert result is not None, folder.failure()
    return result


def failure_of(folder: RunFolder) -> str:
    """The message of a run that must have failed."""
    failure = folder.failure()
    assert failure is not None, folder.state()
    return failure.message


def outcome(folder: RunFolder) -> dict[str, object]:
    """Everything of a finished run that must not depend on how it came about."""
    result = finished(folder)
    events = [event.model_dump(exclude={"time"}) for event in folder.events()]
    # The digests cover times.
    untimed = result.model_dump(exclude={"finished", "train_s", "files", "sha256"})
    return {
        "result": untimed,
        "events": events,
        "weights": folder.weights_path.read_bytes(),
        "confusion": folder.confusion_path.read_bytes(),
    }
