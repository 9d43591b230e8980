"""The training engine: one loop for every variant; a resumed run ends as an undisturbed one."""

from ablate.models.devices import available_devices, check_device
from ablate.train.worker import work

__all__ = ["available_devices", "check_device", "work"]
