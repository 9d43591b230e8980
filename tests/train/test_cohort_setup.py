"""What a cohort shares, on a device other than the CPU: torch's one without values."""

from pathlib import Path

import torch

from ablate.data import open_images, prepare, split
from ablate.registry import Catalogue
from ablate.train.cohort_setup import CohortSetup
from train.run_helpers import TINY


def test_batches_come_on_the_cohorts_device(tmp_path: Path) -> None:
    protocol = Catalogue().protocol("demo", TINY)
    prepared = prepare(open_images(protocol.data, None), protocol.image_size_px, tmp_path)
    parts = split(len(prepared.names), protocol.split)
    meta = torch.device("meta")
    setup = CohortSetup(protocol, 0, prepared, *parts, meta, "float32")
    for batches, indices in zip(
        (setup.training_batches().epoch(1), setup.validation_batches(1)), parts, strict=True
    ):
        seen = list(batches)
        assert {batch.images.device for batch in seen} == {meta}
        assert {batch.masks.device for batch in seen} == {meta}
        assert sorted(index for batch in seen for index in batch.indices) == sorted(indices)
