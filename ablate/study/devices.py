"""Which devices train a sweep."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ablate.executors import call_with_torch
from ablate.spec import BACKBONES, Context

# Each has an interpreter and torch of its own, most of a gigabyte.
_MOST_SMALL_WORKERS = 4


def choose_devices(names: Sequence[str], context: Context) -> tuple[str, ...]:
    """The named devices, or all GPUs, or else the CPU.

    Args:
        names: What the user names; a name that appears twice: two workers there.
        context: The runs' context; small models get several workers on the CPU.

    Raises:
        BadInput: If a device cannot be used, or torch is broken.
    """
    if not names and not _has_gpu_driver():
        # SAM-nano trains on one thread: as many workers as cores, within reason.
        is_small = BACKBONES[context.weights.backbone].is_small
        workers = min(len(os.sched_getaffinity(0)), _MOST_SMALL_WORKERS) if is_small else 1
        return ("cpu",) * workers
    if names and all(name == "cpu" for name in names):
        return tuple(names)
    return tuple(call_with_torch("ablate.study.devices:usable_devices", tuple(names)))


def usable_devices(names: Sequence[str]) -> list[str]:
    """The named devices, checked, or else all that there are. Loads torch.

    Raises:
        BadInput: If a device cannot be used.
    """
    from ablate.train import available_devices, check_device

    for name in names:
        check_device(name)
    return list(names) or available_devices()


def _has_gpu_driver() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidiactl").exists()
