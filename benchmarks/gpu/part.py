"""What a part of the GPU's benchmark is told, and how it says what it has measured.

A part is a module of this folder that runs by itself, in a process of its own:
``python -m benchmarks.gpu.matmul --device cpu --tiny``. Each line that it prints is a JSON object,
a row of a table or a note, and is written as soon as it is known.
"""

import argparse
import gc
import json
import math
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from benchmarks.limit import seconds

Cell = str | float | int | bool | None


@dataclass(frozen=True)
class Part:
    """Where a part measures, and for how long.

    Attributes:
        device: ``cuda`` or ``cpu``.
        tiny: Whether everything is as small as can be, to try the part itself.
        limit_s: How long it may take.
        begun: When it began, in the seconds of ``time.monotonic``.
    """

    device: str
    tiny: bool
    limit_s: float
    begun: float

    @property
    def left_s(self) -> float:
        """How long there is still."""
        return self.begun + self.limit_s - time.monotonic()

    def row(self, cells: Mapping[str, Cell]) -> None:
        """Says a row of a table; names of columns carry units, None is what could not be had."""
        _say({"row": dict(cells)})

    def note(self, text: str) -> None:
        """Says a sentence."""
        _say({"note": text})


def _say(record: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def run(measure: Callable[[Part], None]) -> None:
    """Reads the command line of a part and measures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seconds", type=float, default=600.0)
    arguments = parser.parse_args()
    # Also where the process that would end it has died.
    signal.alarm(math.ceil(arguments.seconds) + 5)
    measure(Part(arguments.device, arguments.tiny, arguments.seconds, time.monotonic()))


@dataclass(frozen=True)
class Measured:
    """Some repetitions of the same.

    Attributes:
        times_s: Wall time of each.
        peak_gb: The most that PyTorch's allocator held meanwhile, 0 on a CPU.
        added_gb: The same without what was held before the first.
    """

    times_s: list[float]
    peak_gb: float
    added_gb: float

    @property
    def median_s(self) -> float:
        """The median time."""
        return statistics.median(self.times_s)

    @property
    def range_ms(self) -> str:
        """The shortest and the longest time."""
        return f"{1e3 * min(self.times_s):.4g}…{1e3 * max(self.times_s):.4g}"


def measured(make: Callable[[], Callable[[], object]], device: str, rounds: int) -> Measured | str:
    """Makes something and repeats it, after a first time that fills caches and the allocator.

    Returns:
        What it took, or in a few words why it cannot be done here.
    """
    # What a failed attempt has left would count as this one's.
    gc.collect()
    on_gpu = device == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
    try:
        repeated = make()
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() if on_gpu else 0
        seconds(repeated, device)
        peak = torch.cuda.max_memory_allocated() if on_gpu else 0
        times = [seconds(repeated, device) for _ in range(rounds)]
    except torch.OutOfMemoryError:
        return "does not fit"
    # A kernel that a GPU lacks shows as one of many exceptions; the others are still of interest.
    except Exception as error:
        return f"not possible: {in_a_line(error)}"
    return Measured(times, peak / 1e9, (peak - before) / 1e9)


def in_a_line(error: BaseException) -> str:
    """The type of an exception and the begin of its message."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:100]}"
