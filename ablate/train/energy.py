"""The energy that a device counts itself."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch


def energy_counter(device: torch.device) -> Callable[[], float | None]:
    """A function that reads the device's counter in joules; it gives None where there is none.

    NVIDIA's driver counts the energy of a whole GPU, from Volta on: what other processes use of it
    at the same time is counted too. ``nvidia-ml-py`` (extra ``energy``, module ``pynvml``) reads
    the counter, if it is installed. Source: https://docs.nvidia.com/deploy/nvml-api,
    nvmlDeviceGetTotalEnergyConsumption.

    Args:
        device: Only CUDA devices have a counter.
    """
    if device.type != "cuda":
        return lambda: None
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        return lambda: None
    try:
        nvml.nvmlInit()
        # By its own id: NVML numbers the devices otherwise than CUDA_VISIBLE_DEVICES does.
        uuid = torch.cuda.get_device_properties(device).uuid
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except nvml.NVMLError:
        return lambda: None

    def read() -> float | None:
        try:
            return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
        except nvml.NVMLError:
            return None

    return read
