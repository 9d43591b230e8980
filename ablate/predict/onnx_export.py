"""A trained model as one ONNX graph: pixels in 0..1 to probabilities.

The graph is what QGIS's plug-in Deepness, by its source, takes for a segmentation model: one input
Bx3xSxS of RGB in 0..1, which the graph normalises itself, and one output Bx1xSxS with the
probability of the positive class. B is free. What Deepness's form is filled in with lies in the
file's metadata, as JSON.
"""

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ablate.data.generated import scene
from ablate.errors import BadInput, StoreError
from ablate.models.plain_attention import with_plain_attention
from ablate.predict.trained import TrainedModel
from ablate.spec import Protocol

OPSET = 18
"""The version of ONNX's operators."""

ONNX_FILE = "model.onnx"
ONNX_WEIGHTS_FILE = "model.onnx.data"
"""Beside it, of models that are larger than one file of ONNX may be."""

# Deepness installs onnxruntime up to 1.17, which reads files up to form 9; form 8 came with the
# onnx that has the operators of version 18.
_IR_VERSION = 8
_MOST_BYTES_OF_ONE_FILE = 2**30 * 15 // 8
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")

# In logits. Measured: up to 9e-5 for SAM-nano's variants at logits of up to 100, 1.2e-3 for an
# untrained U-Net. A wrong window, table of positions or normalisation changes them by more than
# 0.1.
_TOLERANCE = 1e-2
# How much neighbouring tiles share in Deepness, in percent: as in `ablate predict`.
_OVERLAP_PERCENT = 25


@dataclass(frozen=True)
class OnnxFacts:
    """What an export says of its graph.

    Attributes:
        files: The files' names.
        opset: The version of ONNX's operators.
        difference: The largest difference to PyTorch, in probability, on images of batches of one
            and three.
    """

    files: tuple[str, ...]
    opset: int
    difference: float


def check_onnx_packages() -> None:
    """Looks whether a graph could be written and compared.

    Raises:
        BadInput: If a package is not installed.
    """
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise BadInput(
            f"an ONNX graph needs {', '.join(missing)}, which cannot be imported",
            "pip install 'ablate[onnx]'",
        )


class _Probabilities(nn.Module):
    """Images in 0..1, Bx3xSxS, to probabilities and logits, both Bx1xSxS.

    Args:
        model: Normalised images to logits.
        protocol: Mean and std.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, model: nn.Module, protocol: Protocol) -> None:
        """Keeps the model as it is."""
        super().__init__()
        self.model = model
        self.register_buffer("pixel_mean", torch.tensor(protocol.mean).view(3, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(protocol.std).view(3, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Computes both."""
        logits = self.model((images - self.pixel_mean) / self.pixel_std)
        return torch.sigmoid(logits), logits


def write_onnx(trained: TrainedModel, folder: Path, ground_m: float | None = None) -> OnnxFacts:
    """Writes the graph of a model, if it computes what the model computes.

    Args:
        trained: The model, on the CPU; it is left as it is.
        folder: Where ``model.onnx`` is to be.
        ground_m: Metres that a pixel of its square was wide in training; None: not known.

    Raises:
        BadInput: If the model has no such graph, as one with an adapter of another package may.
        StoreError: If onnxruntime computes something else than PyTorch; nothing is left behind.
        OSError: If it cannot be written.
    """
    protocol = trained.spec.context.protocol
    reference = _Probabilities(trained.module, protocol).eval()
    graph = _Probabilities(with_plain_attention(copy.deepcopy(trained.module)), protocol).eval()
    images = _images(trained.size_px)
    try:
        with _quiet(), torch.no_grad():
            program = _program(graph, images[:2])
    except Exception as error:  # Whatever PyTorch raises of operations that ONNX has not.
        line = str(error).strip().partition("\n")[0]
        raise BadInput(
            f"{trained.spec.name} cannot be made an ONNX graph ({type(error).__name__}: {line})",
            "export it without --onnx",
        ) from error
    program.model.ir_version = _IR_VERSION
    program.model.metadata_props.update(deepness_metadata(protocol, ground_m))
    size = sum(value.numel() * value.element_size() for value in graph.state_dict().values())
    # A probability near 0 or 1 hides differences: logits are compared, in a graph that gives them.
    path, probe = folder / ONNX_FILE, folder / "logits.onnx"
    files = [path, *([folder / ONNX_WEIGHTS_FILE] if size > _MOST_BYTES_OF_ONE_FILE else [])]
    try:
        program.save(probe, external_data=len(files) > 1)
        difference = _compare(probe, reference, (images, images[:1]), trained.spec.name)
    finally:
        for written in folder.glob("logits.onnx*"):
            written.unlink()
    program.model.graph.outputs.pop()
    program.save(path, external_data=len(files) > 1)
    _compare(path, reference, (images[:1],), trained.spec.name)
    return OnnxFacts(tuple(file.name for file in files), OPSET, difference)


def deepness_metadata(protocol: Protocol, ground_m: float | None) -> dict[str, str]:
    """What Deepness reads of a model (docs/source/creators in its repository), each as JSON.

    Of one output channel Deepness makes two classes, below and from the threshold.

    Args:
        protocol: Size, class and threshold.
        ground_m: Metres that a pixel of the square was wide in training; None: not known.
    """
    task = protocol.task
    values: dict[str, object] = {
        "model_type": "Segmentor",
        "class_names": {"0": "background", "1": task.positive_class},
        "tile_size": protocol.image_size_px,
        "tiles_overlap": _OVERLAP_PERCENT,
        "seg_thresh": task.threshold,
    }
    if ground_m is not None:
        # In centimetres.
        values["resolution"] = round(100 * ground_m, 4)
    return {name: json.dumps(value) for name, value in values.items()}


def _images(size_px: int) -> Tensor:
    """Three generated scenes in 0..1, 3x3xSxS; the last one's channels are noise."""
    scenes = np.stack([scene(0, index, size_px)[0] for index in range(2)])
    noise = np.random.default_rng(0).random((1, 3, size_px, size_px), np.float32)
    pixels = torch.from_numpy(scenes).permute(0, 3, 1, 2).float() / 255
    return torch.cat((pixels, torch.from_numpy(noise)))


def _program(graph: nn.Module, images: Tensor) -> Any:
    """The traced graph, whose batch is free."""
    exported = torch.export.export(
        graph, (images,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
    )
    program = torch.onnx.export(
        exported,
        (),
        input_names=["images"],
        output_names=["probabilities", "logits"],
        dynamic_shapes=({0: "batch"},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    return program


def _compare(path: Path, reference: nn.Module, batches: Sequence[Tensor], name: str) -> float:
    """The largest difference in probability.

    Raises:
        StoreError: If the graph's outputs differ from the model's by more than rounding.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for batch in batches:
        with torch.no_grad():
            expected = reference(batch)
        found: list[npt.NDArray[np.float32]] = session.run(None, {"images": batch.numpy()})
        # What is published gives probabilities alone; the reference gives the logits as well.
        differences = [
            float((torch.from_numpy(got) - want).abs().max())
            for got, want in zip(found, expected, strict=False)
        ]
        # NaN is not within a tolerance either.
        if not all(difference <= _TOLERANCE for difference in differences):
            raise StoreError(
                f"the ONNX graph of {name} differs from PyTorch by {max(differences):.3g}, more "
                f"than {_TOLERANCE:g}",
                "export it without --onnx, and report this with the versions of torch and onnx",
            )
        largest = max(largest, differences[0])
    return largest


@contextmanager
def _quiet() -> Iterator[None]:
    """PyTorch's exporter tells of each thing that it could not fold; none of it is for users."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
