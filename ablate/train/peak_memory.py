"""The most memory that was held at once."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

from ablate.runs import PeakMemory

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def reset_peak_memory(device: torch.device) -> None:
    """Begins anew to look for the peak; where the system does not allow that, it goes on."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    # "5" sets the peak of the resident set to its present size: proc(5).
    with suppress(OSError):
        _CLEAR.write_text("5")


def peak_memory(device: torch.device) -> PeakMemory:
    """The peak since the last reset: of the device's own memory, or else of this process."""
    if device.type == "cuda":
        return PeakMemory(
            where="device",
            held_bytes=torch.cuda.max_memory_allocated(device),
            reserved_bytes=torch.cuda.max_memory_reserved(device),
        )
    return PeakMemory(where="process", held_bytes=_process_peak_bytes(), reserved_bytes=None)


def _process_peak_bytes() -> int:
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes: getrusage(2) of each.
    return peak if sys.platform == "darwin" else peak * 1024
