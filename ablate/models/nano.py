"""SAM-nano's weights: a file of this package, pre-trained by ``scripts/pretrain_nano``."""

import hashlib
from pathlib import Path

from safetensors.torch import load
from torch import Tensor

from ablate.errors import WeightsError
from ablate.spec import NANO_WEIGHTS

PATH = Path(__file__).with_name("nano.safetensors")


def nano_weights() -> dict[str, Tensor]:
    """The state dict of SAM-nano in the official layout, float32 on the CPU.

    Raises:
        WeightsError: If the file is not the one that ``ablate.spec.NANO_WEIGHTS`` names.
    """
    content = PATH.read_bytes() if PATH.is_file() else b""
    if hashlib.sha256(content).hexdigest() != NANO_WEIGHTS.sha256:
        raise WeightsError(
            f"{PATH} is missing or damaged: it is not the SAM-nano of this version",
            "install ablate again",
        )
    return load(content)
