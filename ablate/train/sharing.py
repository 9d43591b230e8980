"""A device that other cohorts may be on: what they are told, and when this one leaves."""

from typing import Protocol

import torch

from ablate.errors import OutOfSharedMemory
from ablate.models.devices import free_bytes
from ablate.models.out_of_memory import is_out_of_memory
from ablate.train.peak_memory import peak_memory


class SharedDevice(Protocol):
    """What an executor hands to the work where other cohorts may be on the same device.

    Attributes:
        has_company: Whether others may be there by now. Until the memory is reported, none comes.
    """

    has_company: bool

    def report_memory(self, peak_bytes: int, free_bytes: int) -> None:
        """Is told what this cohort has taken at most, and what is free beside all processes."""
        ...


def report_memory(shared: SharedDevice | None, device: torch.device) -> None:
    """Reports after the first step, when optimiser and gradients are there as well."""
    if shared is not None:
        peak = peak_memory(device)
        # What is not known is none, so that no other cohort is started.
        shared.report_memory(peak.reserved_bytes or peak.held_bytes, free_bytes(device) or 0)


def give_way(shared: SharedDevice | None, error: Exception) -> None:
    """Leaves the device where memory is short beside others; the executor tries again without them.

    Raises:
        OutOfSharedMemory: If others may be on the device, and the error says that memory is short.
    """
    if shared is not None and shared.has_company and is_out_of_memory(error):
        raise OutOfSharedMemory("memory is short beside other cohorts; the state is saved")
