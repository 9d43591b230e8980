"""What the device can multiply and move: the rate of large matrix products and of a copy.

The median of several products in turn, after others that bring the clock to where a long one has
it. A copy counts what is read and what is written.
"""

import torch

from ablate.models.devices import computing_in
from ablate.spec import Precision
from benchmarks.gpu.part import Part, measured, run

PRECISIONS: tuple[Precision, ...] = ("bfloat16", "tf32", "float32")


def measure(part: Part) -> None:
    """Says a row for each product."""
    device = torch.device(part.device)
    sides, rounds = ((64,), 2) if part.tiny else ((4096, 8192, 16384), 10)
    for precision in PRECISIONS:
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        for side in sides:
            if precision == "float32" and side > 8192:
                continue

            def make(side: int = side, dtype: torch.dtype = dtype):
                a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
                # Several at once: a single small one is shorter than its start.
                return lambda: [a @ b for _ in range(4)]

            with computing_in(device, precision):
                found = measured(make, part.device, rounds)
            rate = None if isinstance(found, str) else 4 * 2 * side**3 / found.median_s / 1e12
            part.row({"product": precision, "side": side, "TFLOP/s": rate})
    elements = 2**16 if part.tiny else 2**30

    def copy():
        a = torch.zeros(elements, device=device, dtype=torch.float16)
        b = torch.empty_like(a)
        return lambda: b.copy_(a)

    found = measured(copy, part.device, rounds)
    rate = None if isinstance(found, str) else 2 * 2 * elements / found.median_s / 1e9
    part.row({"copy of GB": 2 * elements / 1e9, "GB/s": rate})


if __name__ == "__main__":
    run(measure)
