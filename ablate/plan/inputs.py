"""Which frozen weights a sweep starts from."""

from pathlib import Path

from ablate.errors import WeightsError
from ablate.runs import FileDigests
from ablate.spec import BACKBONES, NANO_WEIGHTS, BackboneName, WeightsIdentity


def identify_weights(
    backbone: BackboneName, checkpoint: Path | None, digests: Path | None = None
) -> WeightsIdentity:
    """The identity of the weights for a backbone. Nothing of the file is interpreted.

    A file under an official name must be the official file. Under another name it is taken for
    somebody's own weights, and labelled so.

    Args:
        backbone: The protocol's image encoder.
        checkpoint: The official file; None for SAM-nano, whose weights ablate makes.
        digests: Where digests of files are remembered; None: nowhere.

    Raises:
        WeightsError: If a file is needed and missing, given and not needed, or not what its
            name says.
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
    known = FileDigests(digests)
    sha256 = known.of(checkpoint)
    known.save()
    return WeightsIdentity(
        label=_label(backbone, checkpoint, sha256), backbone=backbone, sha256=sha256
    )


def _label(backbone: BackboneName, checkpoint: Path, sha256: str) -> str:
    """How tables call the weights of a file with this digest.

    Raises:
        WeightsError: If it is the official file of another size, or not the official file that
            its name promises.
    """
    geometry = BACKBONES[backbone]
    if sha256 == geometry.checkpoint_sha256:
        return geometry.label
    for other in BACKBONES.values():
        if sha256 == other.checkpoint_sha256:
            raise WeightsError(
                f"{checkpoint} is {other.label}, but the protocol's backbone is {backbone}",
                f"give {geometry.checkpoint}, or --set backbone=…",
            )
        if checkpoint.name == other.checkpoint:
            raise WeightsError(
                f"{checkpoint} is not the official file of that name "
                f"(SHA-256 {sha256[:12]}…, not {str(other.checkpoint_sha256)[:12]}…)",
                "download it again; weights of your own go under another name",
            )
    return f"{geometry.label} from {checkpoint.name}"
