"""``load``: an exported model in Python, without a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ablate.study.request import expanded

if TYPE_CHECKING:
    from ablate.predict import TrainedModel


def load(
    folder: str | Path, *, checkpoint: str | Path | None = None, device: str = "cpu"
) -> TrainedModel:
    """The model of an export of ``ablate export``.

    ``predict(image)`` gives the mask of an image, ``probability(image)`` the probabilities,
    ``module`` is the plain ``torch.nn.Module`` for a loop of one's own.

    Args:
        folder: The export.
        checkpoint: The SAM that it was trained on; None where its weights are part of ablate.
        device: Where it is to compute, such as ``cuda:0``.

    Raises:
        BadInput: If the folder is no export, one of another version, or damaged; or if there is no
            such device.
        WeightsError: If the checkpoint is missing, not needed, or another than the one that the
            weights were trained on.
    """
    from ablate.models.devices import check_device
    from ablate.predict import load_export

    given = None if checkpoint is None else expanded(checkpoint)
    return load_export(expanded(folder), given, check_device(device))
