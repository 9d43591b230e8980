"""Devices and the precision that they compute in."""

import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ablate.errors import BadInput
from ablate.runs import Machine
from ablate.spec import BACKBONES, BackboneName, Precision

_MEMINFO = Path("/proc/meminfo")


def available_devices() -> list[str]:
    """Every CUDA device, or else the CPU."""
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def check_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        BadInput: If torch knows no such device, or this machine has none.
    """
    try:
        device = torch.device(name)
        if device.type == "cuda":
            # Counted, not touched: a process that only plans takes no memory of the device.
            usable = (device.index or 0) < torch.cuda.device_count()
        else:
            usable = torch.empty(0, device=device).device.type == device.type
    except (RuntimeError, AssertionError):
        usable = False
    if not usable:
        names = ", ".join(dict.fromkeys([*available_devices(), "cpu"]))
        raise BadInput(f"device {name!r} cannot be used", f"there are {names}")
    return device


def limit_threads(backbone: BackboneName) -> None:
    """Gives small SAMs one thread, larger ones as many as OMP_NUM_THREADS says, if it is set.

    Their operations are so small that a second thread gains little beside a second worker,
    and on one thread a run gives the same bits on machines with any number of cores.
    """
    # torch itself reads the variable once, possibly before an executor set it.
    allowed = "1" if BACKBONES[backbone].is_small else os.environ.get("OMP_NUM_THREADS", "")
    if allowed.isdigit():
        torch.set_num_threads(int(allowed))


def precision_on(device: torch.device, allowed: Precision) -> Precision:
    """What the protocol asks for where the device has it in hardware, else float32."""
    if allowed == "tf32" and device.type == "cuda" and torch.cuda.is_tf32_supported():
        return "tf32"
    if allowed == "bfloat16":
        if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            return "bfloat16"
        if device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False):
            return "bfloat16"
    return "float32"


@contextmanager
def computing_in(device: torch.device, precision: Precision) -> Iterator[None]:
    """While this is open, float32 products on a GPU are rounded to TF32, or none is.

    Open it around forward and backward. PyTorch by itself rounds convolutions, but no matrix
    products. Autocast is another matter, and other devices stay as they are.

    PyTorch's newer switches (``torch.backends.cuda.matmul.fp32_precision``) are not used: compiling
    still asks for the older ones, which fail from then on
    (https://github.com/pytorch/pytorch/issues/166387).
    """
    if device.type != "cuda":
        yield
        return
    rounded = precision == "tf32"
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    _switch("high" if rounded else "highest", rounded)
    try:
        yield
    finally:
        _switch(*before)


def _switch(products: str, convolutions: bool) -> None:
    with warnings.catch_warnings():
        # Some versions of PyTorch speak for the newer switches.
        warnings.filterwarnings("ignore", message="Please use the new API settings")
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions


def machine(device: torch.device, precision: Precision) -> Machine:
    """What a run is computed on, for its provenance."""
    return Machine(
        device=str(device),
        device_name=device_name(device),
        threads=torch.get_num_threads(),
        precision=precision,
        torch=torch.__version__,
    )


def device_name(device: torch.device) -> str:
    """The accelerator's or the processor's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()


def _processor() -> str:
    """The processor's own name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def free_bytes(device: torch.device) -> int | None:
    """Free memory of the device; None: it is not known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu" or not _MEMINFO.exists():
        return None
    kilobytes = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
    return int(kilobytes["MemAvailable"].split()[0]) * 1024
