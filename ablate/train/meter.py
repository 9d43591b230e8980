"""What a cohort costs, split among its runs and kept in their folders."""

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import torch

from ablate.errors import Interrupted, TakenOver
from ablate.models.devices import device_name
from ablate.runs import Attempt, PeakMemory, RunFolder
from ablate.runs.attempts import log_of_this_process
from ablate.train.energy import energy_counter
from ablate.train.peak_memory import peak_memory, reset_peak_memory

_WRITE_EVERY_S = 1.0
# Writing may take this share of the time: a dozen files on a slow disk take longer.
_WRITING_SHARE = 0.002


@dataclass
class _Share:
    """What one run has cost.

    Attributes:
        attempt: What is known of the attempt from its start.
        seen: The end of what it is charged with; Unix seconds.
        device_s: Its share of the time.
        new_s: The part of it that no energy was measured for yet.
        energy_j: Its share of the energy; None where none is counted.
        memory: The peak while it was charged.
        is_unwritten: Whether its file is behind.
        is_over: Whether it was written for the last time.
    """

    attempt: Attempt
    seen: float
    device_s: float = 0.0
    new_s: float = 0.0
    energy_j: float | None = None
    memory: PeakMemory | None = None
    is_unwritten: bool = False
    is_over: bool = False


class Meter:
    """Charges runs with the time, the memory and the energy of their device.

    While it is open, all time is charged to some run, so that the shares of a cohort add up to the
    time for which the device was held. Nothing of it can make a run fail.

    Args:
        folders: The runs that are begun; their claims are held.
        device: Where they are computed.
        is_shared: Whether other cohorts may be there meanwhile; then no energy is counted, since a
            device counts that of all together.
    """

    def __init__(
        self, folders: Sequence[RunFolder], device: torch.device, *, is_shared: bool = False
    ) -> None:
        """Begins an attempt at each run."""
        reset_peak_memory(device)
        self._device = device
        self._read_energy_j = (lambda: None) if is_shared else energy_counter(device)
        self._energy_j = self._read_energy_j()
        self._began = self._charged = time.monotonic()
        self._write_at = self._charged + _WRITE_EVERY_S
        now = time.time()
        self._shares: dict[RunFolder, _Share] = {}
        for folder in folders:
            attempt = Attempt(
                started=now,
                seen=now,
                device=str(device),
                device_name=device_name(device),
                shared_by=len(folders),
                beside_others=is_shared,
                log=log_of_this_process(),
            )
            with suppress(OSError, TakenOver):
                attempt = folder.begin_attempt(attempt)
            self._shares[folder] = _Share(attempt, attempt.started)

    def __enter__(self) -> "Meter":
        """Has begun already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends what has not ended; a stop is noted, which no other file of a run says."""
        is_stopped = isinstance(error, Interrupted) or not isinstance(error, Exception | None)
        left = [folder for folder, share in self._shares.items() if not share.is_over]
        unfinished = [folder for folder in left if not folder.has_failure()]
        self.charge(unfinished)
        for folder in left:
            share = self._shares[folder]
            if is_stopped and folder in unfinished:
                share.attempt = share.attempt.model_copy(update={"ending": "interrupted"})
            self._finish(folder, share)

    def charge(self, folders: Collection[RunFolder]) -> float:
        """Charges these runs with the time since the last charge, in equal parts.

        Returns:
            What each is charged with; seconds. Without runs the time is left to the next charge.
        """
        if not folders:
            return 0.0
        now = time.monotonic()
        share_s = (now - self._charged) / len(folders)
        self._charged = now
        for folder in folders:
            share = self._shares[folder]
            share.device_s += share_s
            share.new_s += share_s
            # The clock may be set back meanwhile.
            share.seen = share.attempt.started + now - self._began
        if now > self._write_at:
            self._write_all()
            written = time.monotonic()
            self._write_at = written + max(_WRITE_EVERY_S, (written - now) / _WRITING_SHARE)
        return share_s

    def _write_all(self) -> None:
        """Brings the files of the runs up to date that were charged since the last time."""
        self._measure()
        for folder, share in self._shares.items():
            if share.is_unwritten and not share.is_over:
                self._write(folder, share, is_over=False)

    def end(self, folder: RunFolder) -> float:
        """Charges a run with the time since the last charge, and writes it for the last time.

        Returns:
            When that was, in Unix seconds: after the run was created and all attempts at it.
        """
        self.charge([folder])
        share = self._shares[folder]
        self._finish(folder, share)
        return share.seen

    def _finish(self, folder: RunFolder, share: _Share) -> None:
        self._measure()
        share.is_over = True
        self._write(folder, share, is_over=True)

    def _measure(self) -> None:
        """Reads memory and energy; the energy since the last time is split as the time was."""
        charged = [share for share in self._shares.values() if share.new_s]
        if not charged:
            return
        memory, energy_j = peak_memory(self._device), self._read_energy_j()
        total_s = sum(share.new_s for share in charged)
        for share in charged:
            share.memory = memory
            if energy_j is not None and self._energy_j is not None:
                spent_j = (energy_j - self._energy_j) * share.new_s / total_s
                share.energy_j = (share.energy_j or 0.0) + spent_j
            share.new_s, share.is_unwritten = 0.0, True
        self._energy_j = energy_j

    def _write(self, folder: RunFolder, share: _Share, *, is_over: bool) -> None:
        share.is_unwritten = False
        values = {
            "seen": share.seen,
            "device_s": share.device_s,
            "memory": share.memory,
            "energy_j": share.energy_j,
        }
        # A full disk costs a line of the bill, and not the run.
        with suppress(OSError, TakenOver):
            folder.update_attempt(share.attempt.model_copy(update=values), is_over=is_over)
