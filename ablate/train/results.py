"""What a run leaves: weights, confusions, panels and its result, or its failure."""

import hashlib
import io
import logging
import math
import time
import traceback
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import save

from ablate.data import Prepared
from ablate.data.batches import Batch
from ablate.errors import Diverged, OutOfMemory, TakenOver
from ablate.metrics import Confusion, scores
from ablate.metrics.confusion import predict
from ablate.models.out_of_memory import is_out_of_memory, make_room
from ablate.runs import (
    Failure,
    Machine,
    MicroBatch,
    Parameters,
    PartScores,
    Result,
    RunFolder,
    disk,
    panel_names,
)
from ablate.runs.cells import CELLS, MASK_COUNTS, PixelCount
from ablate.train.cohort_setup import CohortSetup, ValidationAccumulator
from ablate.train.meter import Meter
from ablate.train.sharing import give_way
from ablate.train.state import TrainingState

_logger = logging.getLogger(__name__)

PANELS = 4
"""How many validation images, the first ones, get a panel."""

_MORE_MEMORY = "use a device with more memory, or end what else uses it"
_PANEL_SIDE_PX = 256
# Orange and blue that colour-blind people tell apart, and a print in grey too.
# https://jfly.uni-koeln.de/color/
_TRUE_POSITIVE, _FALSE_POSITIVE, _FALSE_NEGATIVE = (255, 255, 255), (230, 159, 0), (0, 114, 178)


def conclude(
    folder: RunFolder, state: TrainingState, setup: CohortSetup, machine: Machine, meter: Meter
) -> None:
    """Evaluates the selected epoch's weights once more, and publishes the result.

    Only here is the test part looked at.

    Args:
        folder: The run's folder.
        state: Trained to the end; its model gets the selected weights.
        setup: What it was trained under.
        machine: What the run was computed on.
        meter: Charges the run.

    Raises:
        Diverged: If the loss on either part is not finite.
    """
    if state.best is None:
        raise AssertionError("a training ends with a validation")
    started = time.monotonic()
    state.model.load_trainable_state(state.best.trained)
    accumulator = ValidationAccumulator(is_final=True)
    for batch in setup.validation_batches(state.best.epoch):
        logits = _evaluated(state, setup, batch)
        predictions = predict(logits, setup.protocol.task.threshold).cpu().numpy()[:, 0]
        missing = max(0, PANELS - len(accumulator.confusions))
        for index, prediction in zip(batch.indices[:missing], predictions, strict=False):
            write_panel(folder, setup.prepared, index, prediction)
        accumulator.add(setup, batch, logits)
        meter.charge([folder])
    tested = ValidationAccumulator(is_final=True)
    for batch in setup.test_batches():
        logits = _evaluated(state, setup, batch)
        tested.add(setup, batch, logits)
        meter.charge([folder])
    for part, scored in (("validation", accumulator), ("test", tested)):
        if scored.confusions and not math.isfinite(scored.loss):
            raise Diverged(
                f"the loss on the {part} part is {scored.loss} with the weights of epoch "
                f"{state.best.epoch}"
            )
    publish(
        folder,
        Evaluated.of(setup.prepared, setup.validation, accumulator.confusions),
        Evaluated.of(setup.prepared, setup.test, tested.confusions),
        epoch=state.best.epoch,
        epochs=setup.protocol.epochs,
        steps=state.step,
        metrics={"val_loss": accumulator.loss},
        trained=state.model.trainable_state(),
        parameters=state.model.count_parameters(),
        machine=machine,
        train_s=state.train_s + time.monotonic() - started,
        meter=meter,
        micro_batches=state.micro_batches.noted,
    )


def _evaluated(state: TrainingState, setup: CohortSetup, batch: Batch) -> torch.Tensor:
    """The logits of a batch, Bx1xSxS; fewer images at once where memory is short.

    Raises:
        OutOfMemory: If not even one image fits.
    """
    images = len(batch.indices)
    while True:
        at_once = state.micro_batches.images("evaluation", images)
        try:
            (logits,) = setup.logits([state.model], batch, at_once)
            return logits
        except Exception as error:
            give_way(setup.shared, error)
            if not is_out_of_memory(error):
                raise
        make_room(setup.device)
        state.micro_batches.halve("evaluation", images, state.step, state.model)


@dataclass(frozen=True)
class Evaluated:
    """What a model gives on the images of a part.

    Attributes:
        names: Of the images.
        confusions: Of each of them.
    """

    names: list[str]
    confusions: list[Confusion]

    @classmethod
    def of(cls, prepared: Prepared, indices: list[int], confusions: list[Confusion]) -> "Evaluated":
        """The part whose images are at these indices."""
        return cls([prepared.names[index] for index in indices], confusions)

    @property
    def pooled(self) -> Confusion:
        """The pixels of all images."""
        return sum(self.confusions, Confusion.none())

    @property
    def columns(self) -> tuple[PixelCount, ...]:
        """What was counted of each image."""
        return tuple(name for name in (*CELLS, *MASK_COUNTS[-1]) if name in self.pooled.cells)

    @property
    def counts(self) -> list[tuple[int, ...]]:
        """Of each image, a number for each of the columns."""
        return [tuple(confusion.cells.values()) for confusion in self.confusions]


def publish(
    folder: RunFolder,
    validated: Evaluated,
    tested: Evaluated,
    *,
    epoch: int,
    epochs: int,
    steps: int,
    metrics: dict[str, float],
    trained: dict[str, torch.Tensor],
    parameters: Parameters,
    machine: Machine,
    train_s: float,
    meter: Meter,
    micro_batches: tuple[MicroBatch, ...] = (),
) -> None:
    """Writes confusions and weights, then the result: the run is done.

    Args:
        folder: The run's folder.
        validated: The validation images.
        tested: The test images; none where the split has no test part.
        epoch: The selected epoch; 0 where nothing is trained.
        epochs: How many were trained.
        steps: Optimiser steps.
        metrics: Further metrics, besides the scores.
        trained: The weights to keep; empty where nothing is trained.
        parameters: Counted on the model.
        machine: What the run was computed on.
        train_s: Seconds that it took, over all resumptions.
        meter: Its bill is closed just before the result, which is published last.
        micro_batches: Where memory was too short for a whole batch at once.
    """
    weights = save(trained)
    folder.write_file(folder.weights_path, weights)
    folder.write_confusions(validated.names, validated.counts, *validated.columns)
    if tested.names:
        folder.write_test_confusions(tested.names, tested.counts, *tested.columns)
    pooled = validated.pooled
    finished = meter.end(folder)
    folder.publish_result(
        Result(
            key=folder.key,
            epoch=epoch,
            epochs=epochs,
            steps=steps,
            metrics=metrics | scores(pooled),
            confusion=_cells(validated),
            test=_test_scores(tested),
            parameters=parameters,
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            machine=machine,
            finished=finished,
            train_s=train_s,
            micro_batches=micro_batches,
        )
    )


def _cells(counted: Evaluated) -> dict[PixelCount, int]:
    pooled = counted.pooled.cells
    return {name: pooled[name] for name in counted.columns}


def _test_scores(tested: Evaluated) -> PartScores | None:
    if not tested.names:
        return None
    pooled = tested.pooled
    return PartScores(images=len(tested.names), metrics=scores(pooled), confusion=_cells(tested))


def write_panel(
    folder: RunFolder, prepared: Prepared, index: int, prediction: npt.NDArray[np.bool_]
) -> None:
    """``panels/NAME.png``: image, ground truth and prediction side by side.

    An image's name that is no file name is escaped (``panel_names``).

    In the prediction, white is a true positive, orange a false positive, blue a false negative.

    Args:
        folder: The run's folder.
        prepared: The data.
        index: Which image.
        prediction: Shape SxS.
    """
    image = np.asarray(prepared.images[index])
    panel = _panel(image, prepared.masks[index] > 0, prediction)
    buffer = io.BytesIO()
    panel.save(buffer, format="PNG")
    name = panel_names(prepared.names)[index]
    folder.write_file(folder.panels_path / name, buffer.getvalue())


def _panel(
    image: npt.NDArray[np.uint8],
    ground_truth: npt.NDArray[np.bool_],
    prediction: npt.NDArray[np.bool_],
) -> Image.Image:
    """Three square tiles (HxWx3, HxW, HxW) in a row."""
    painted = np.zeros_like(image)
    painted[prediction & ground_truth] = _TRUE_POSITIVE
    painted[prediction & ~ground_truth] = _FALSE_POSITIVE
    painted[ground_truth & ~prediction] = _FALSE_NEGATIVE
    white = np.repeat(ground_truth[..., None], 3, axis=2).astype(np.uint8) * 255
    side = _PANEL_SIDE_PX
    panel = Image.new("RGB", (3 * side, side))
    for position, (tile, resample) in enumerate(
        (
            (image, Image.Resampling.BICUBIC),
            (white, Image.Resampling.NEAREST),
            (painted, Image.Resampling.NEAREST),
        )
    ):
        panel.paste(Image.fromarray(tile).resize((side, side), resample), (position * side, 0))
    return panel


def write_failure(folder: RunFolder, error: Exception) -> None:
    """Writes ``failure.json``; a run that another process has taken over has not failed.

    Args:
        folder: The run's folder.
        error: The cause; raised and caught.
    """
    if isinstance(error, TakenOver):
        _logger.warning("%s", error)
        return
    is_expected = isinstance(error, Diverged | OutOfMemory)
    folder.write_failure(
        Failure(
            kind=_kind(error),
            message=_one_line(error),
            detail="" if is_expected else "".join(traceback.format_exception(error)),
            time=time.time(),
        )
    )


def _kind(error: Exception) -> Literal["error", "diverged", "out-of-memory"]:
    if isinstance(error, Diverged):
        return "diverged"
    return "out-of-memory" if is_out_of_memory(error) else "error"


def _one_line(error: Exception) -> str:
    """The exception's type and the first line of its text; of what is short, what to do."""
    if isinstance(error, OSError) and disk.is_full(error):
        return "; ".join(disk.in_words(error))
    text = str(error).strip().partition("\n")[0]
    if is_out_of_memory(error) and not isinstance(error, OutOfMemory):
        text = f"{text or 'no memory'}; {_MORE_MEMORY}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
