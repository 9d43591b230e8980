"""Which weights a sweep starts from."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ablate.errors import WeightsError
from ablate.runs import FileDigests
from ablate.spec import (
    BACKBONES,
    NANO_WEIGHTS,
    RESNETS,
    BackboneName,
    ResNetIdentity,
    ResNetName,
    Variant,
    WeightsIdentity,
    random_resnet,
)


def identify_weights(
    backbone: BackboneName, checkpoint: Path | None, digests: Path | None = None
) -> WeightsIdentity:
    """The identity of the weights for a backbone. Nothing of the file is interpreted.

    A file under an official name must be the official file. Under another name it counts as the
    user's own weights, and is labelled so.

    Args:
        backbone: The protocol's image encoder.
        checkpoint: The official file; None for SAM-nano, whose weights are part of ablate.
        digests: Where digests of files are remembered; None: nowhere.

    Raises:
        WeightsError: If a file is needed and missing, given and not needed, or not what its
            name says.
    """
    geometry = BACKBONES[backbone]
    if geometry.checkpoint is None:
        if checkpoint is not None:
            raise WeightsError(
                f"backbone {backbone} does not take a checkpoint, but {checkpoint} is given",
                "omit it, or choose a protocol for a larger backbone (--protocol paper)",
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


def resnet_files(paths: Sequence[Path]) -> dict[ResNetName, Path]:
    """Files of ResNet weights by the ResNet that their names begin with.

    Raises:
        WeightsError: If a name begins with none, or two with the same.
    """
    found: dict[ResNetName, Path] = {}
    for path in paths:
        resnet = next((name for name in RESNETS if path.name.startswith(name)), None)
        if resnet is None:
            raise WeightsError(
                f"{path} does not say which ResNet it is of",
                f"let its name begin with {', '.join(RESNETS)}",
            )
        if resnet in found:
            raise WeightsError(f"{found[resnet]} and {path} are both of {resnet}", "give one")
        found[resnet] = path
    return found


def identify_resnets(
    variants: Iterable[Variant], paths: Sequence[Path], digests: Path | None = None
) -> dict[ResNetName, ResNetIdentity]:
    """What the ResNets under these variants start from: files, or else random values.

    Args:
        variants: The rows of a sweep.
        paths: Files of weights, such as torchvision's ``resnet50-0676ba61.pth``.
        digests: Where digests of files are remembered; None: nowhere.

    Raises:
        WeightsError: If a file is missing, is not needed, or is not what its name says.
    """
    needed = [each.resnet for each in variants if each.system == "cnn"]
    files = resnet_files(paths)
    for resnet, path in files.items():
        if resnet not in needed:
            raise WeightsError(
                f"no row of this sweep is built on {resnet}, but {path} is given", "omit it"
            )
    known = FileDigests(digests)
    identities = {
        resnet: _resnet_identity(resnet, files[resnet], known)
        if resnet in files
        else random_resnet(resnet)
        for resnet in needed
    }
    known.save()
    return identities


def _resnet_identity(resnet: ResNetName, path: Path, known: FileDigests) -> ResNetIdentity:
    if not path.is_file():
        raise WeightsError(f"there is no file {path}", f"give the path of {resnet}'s weights")
    sha256 = known.of(path)
    # torchvision's own rule: the digits in the name are the first of the SHA-256.
    digits = re.fullmatch(rf"{resnet}-([0-9a-f]{{8}})\.pth", path.name)
    if digits and not sha256.startswith(digits[1]):
        raise WeightsError(
            f"{path} is not the file that its name says (SHA-256 {sha256[:8]}…)",
            "download it again; weights of your own go under another name",
        )
    identity = ResNetIdentity(label=RESNETS[resnet].label, sha256=sha256)
    if identity.is_official(resnet):
        return identity
    return identity.model_copy(update={"label": f"{identity.label} from {path.name}"})
