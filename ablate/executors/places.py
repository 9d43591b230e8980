"""How many cohorts are on a device at once: as many as its measured memory allows.

A cohort's peak is known after its first training step. Until then it holds the device's lease: no
other cohort is started there. Then the driver compares what is free with what a cohort like the
next one has taken. The driver itself touches no device: workers measure and report.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

CohortsPerDevice = int | Literal["auto"]

# A validation, or another variant, may take more than the first step has. CUDA's context is not in
# what torch reserves; it takes about half of this.
_MARGIN = 1.25
_MARGIN_BYTES = 2**30


@dataclass(frozen=True)
class MemoryReport:
    """What a worker measures after the first training step of a cohort.

    Attributes:
        peak_bytes: What its process has taken at most.
        free_bytes: What is free on the device, beside all processes.
    """

    peak_bytes: int
    free_bytes: int


@dataclass
class Occupant:
    """A worker process on a device.

    Attributes:
        device: Where it is.
        kind: Cohorts of one kind are taken to need as much as each other; None: it is not known.
        is_alone: Whether no other may be there.
        peak_bytes: Of its cohort; None until its first step, and without a cohort.
    """

    device: str
    kind: Hashable = None
    is_alone: bool = False
    peak_bytes: int | None = None


class Places:
    """Where another cohort may start.

    Args:
        devices: One name for each worker that may always be there.
        cohorts_per_device: How many there may be for each of them, at most.
    """

    def __init__(self, devices: Sequence[str], cohorts_per_device: CohortsPerDevice) -> None:
        """All are free."""
        self._always = Counter(devices)
        self._per_worker = cohorts_per_device
        self._occupants: list[Occupant] = []
        self._free_bytes: dict[str, int] = {}
        self._peaks: dict[Hashable, int] = {}

    @property
    def devices(self) -> tuple[str, ...]:
        """Their names, each once; those with the fewest worker processes first."""
        return tuple(sorted(self._always, key=lambda name: len(self._others(name, None))))

    def are_shared(self, device: str) -> bool:
        """Whether more cohorts than it was named for may be on a device."""
        # The processors' threads are shared out before anything starts.
        if self._per_worker == "auto":
            return device.partition(":")[0] != "cpu"
        return self._per_worker > 1

    def enter(self, device: str) -> Occupant:
        """Another worker process is on a device."""
        occupant = Occupant(device)
        self._occupants.append(occupant)
        return occupant

    def leave(self, occupant: Occupant) -> None:
        """A worker process has ended."""
        self.end(occupant)
        self._occupants.remove(occupant)

    def begin(self, occupant: Occupant, kind: Hashable, *, is_alone: bool) -> None:
        """A worker begins with a cohort, and holds the lease until it has reported."""
        occupant.kind, occupant.is_alone, occupant.peak_bytes = kind, is_alone, None

    def report(self, occupant: Occupant, memory: MemoryReport) -> None:
        """A worker has done its first step."""
        occupant.peak_bytes = memory.peak_bytes
        self._free_bytes[occupant.device] = memory.free_bytes
        if occupant.kind is not None:
            before = self._peaks.get(occupant.kind, 0)
            self._peaks[occupant.kind] = max(before, memory.peak_bytes)

    def end(self, occupant: Occupant) -> None:
        """A worker has ended its cohort: its memory is free for the next one, or when it ends."""
        if occupant.peak_bytes is not None:
            self._free_bytes[occupant.device] += occupant.peak_bytes
        occupant.is_alone, occupant.peak_bytes = False, None

    def allow(
        self, device: str, kind: Hashable, *, is_alone: bool, worker: Occupant | None = None
    ) -> bool:
        """Whether a cohort may start on a device.

        Args:
            device: Where.
            kind: The cohort's.
            is_alone: Whether it must be alone there.
            worker: The one that would take it; without one, another process starts.
        """
        others = self._others(device, worker)
        if is_alone or any(each.is_alone for each in others):
            return not others
        if len(others) < self._always[device]:
            return True
        if not self.are_shared(device) or len(others) >= self._most(device):
            return False
        # The lease, and memory that is about to become free.
        if any(each.peak_bytes is None for each in others):
            return False
        if kind is None or kind not in self._peaks:
            return False
        needed = _MARGIN * self._peaks[kind] + _MARGIN_BYTES
        return self._free_bytes.get(device, 0) >= needed

    def has_company(self, occupant: Occupant) -> bool:
        """Whether other worker processes are on a worker's device."""
        return bool(self._others(occupant.device, occupant))

    def _others(self, device: str, occupant: Occupant | None) -> list[Occupant]:
        return [each for each in self._occupants if each.device == device and each is not occupant]

    def _most(self, device: str) -> float:
        if self._per_worker == "auto":
            return float("inf")
        return self._always[device] * self._per_worker
