"""Which frozen weights a sweep starts from."""

import hashlib
from pathlib import Path

from ablate.errors import WeightsError
from ablate.spec import BACKBONES, NANO_WEIGHTS, BackboneName, WeightsIdentity

_BLOCK_BYTES = 1 << 20


def identify_weights(backbone: BackboneName, checkpoint: Path | None) -> WeightsIdentity:
    """The identity of the weights for a backbone.

    Args:
        backbone: The protocol's image encoder.
        checkpoint: The official file; None for SAM-nano, whose weights ablate makes.

    Raises:
        WeightsError: If a file is needed and missing, or given and not needed.
    """
    geometry = BACKBONES[backbone]
    if geometry.checkpoint is None:
        if checkpoint is not None:
            raise WeightsError(
                f"backbone {backbone} takes no checkpoint, but {checkpoint} is given",
                "leave it away, or choose a protocol for a larger backbone (--protocol paper)",
            )
        return NANO_WEIGHTS
    if checkpoint is None:
        raise WeightsError(
            f"the protocol's backbone {backbone} needs SAM's weights and none are configured",
            f"download {geometry.checkpoint} and give --checkpoint PATH",
        )
    if not checkpoint.is_file():
        raise WeightsError(
            f"there is no checkpoint {checkpoint}", f"give the path of {geometry.checkpoint}"
        )
    return WeightsIdentity(label=geometry.label, backbone=backbone, sha256=_file_sha256(checkpoint))


def _file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
