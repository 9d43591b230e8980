"""What a training step of each row of a sweep takes, and what it keeps for its backward pass.

A sweep's runs share batches, and a run's training seconds are its share of a cohort's: they do not
tell rows apart. Here each row is stepped alone, on one thread, with the small SAM as it is trained:
a row that can be stacked goes through the stack. Rows take turns in every round, so that a busy
machine is busy for all of them; times are those of the processor, not of the clock. What is kept is
counted in the model's own forward pass.
"""

import argparse
import statistics
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ablate.models import SegmentationModel, build, can_stack, forward_together, load_weights
from ablate.registry import Catalogue
from ablate.spec import SamVariant
from ablate.train.loss import segmentation_loss

MIB = 2**20


@dataclass
class Row:
    """One row of the sweep, and what was measured.

    Attributes:
        label: Its name.
        model: In training.
        optimizer: As a run's.
        seconds: Processor time of each step.
        kept: Bytes that a forward pass keeps for the backward pass, besides parameters.
    """

    label: str
    model: SegmentationModel
    optimizer: torch.optim.Optimizer
    seconds: list[float] = field(default_factory=list)
    kept: int = 0


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", default="peft")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=20)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    protocol = Catalogue().protocol("demo")
    generator = torch.Generator().manual_seed(0)
    side = protocol.image_size_px
    images = torch.randn(wanted.batch, 3, side, side, generator=generator)
    masks = (torch.rand(wanted.batch, 1, side, side, generator=generator) > 0.85).float()
    rows = _rows(wanted.grid, protocol.image_size_px)
    for number in range(-3, wanted.rounds):
        for row in rows:
            started = time.process_time()
            row.optimizer.zero_grad(set_to_none=True)
            (logits,) = forward_together([row.model], images)
            segmentation_loss(logits, masks, protocol.loss).backward()
            row.optimizer.step()
            if number >= 0:
                row.seconds.append(time.process_time() - started)
    for row in rows:
        row.kept = _kept(row.model, images)
    _print(rows)


def _rows(grid: str, image_size_px: int) -> list[Row]:
    weights = load_weights("vit_nano", None)
    rows = []
    for name, variant in Catalogue().rows(grid, "vit_nano").items():
        if not isinstance(variant, SamVariant):
            continue
        model = build(variant, "vit_nano", image_size_px=image_size_px, weights=weights, seed=0)
        trained = [value for value in model.parameters() if value.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
        rows.append(Row(variant.label or name, model.train(), optimizer))
    return rows


def _kept(model: SegmentationModel, images: Tensor) -> int:
    """Bytes of all tensors that autograd keeps, each memory once, without the model's own."""
    own = {value.untyped_storage().data_ptr() for value in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        # What is kept must live until all of it is counted.
        logits = model(images)
    total = sum(kept.values())
    del logits
    return total


def _print(rows: list[Row]) -> None:
    print("| row | trained | step, ms of CPU time | kept for backward, MiB | stacked |")  # noqa: T201
    print("|---|--:|--:|--:|---|")  # noqa: T201
    for row in rows:
        trained = sum(value.numel() for value in row.model.parameters() if value.requires_grad)
        step = 1e3 * statistics.median(row.seconds)
        stacked = "yes" if can_stack(row.model) else "no"
        cells = (row.label, f"{trained:,}", f"{step:.0f}", f"{row.kept / MIB:.1f}", stacked)
        print(f"| {' | '.join(cells)} |")  # noqa: T201


if __name__ == "__main__":
    main()
