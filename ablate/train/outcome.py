"""What a finished run leaves: weights, confusions, panels and, last of all, its result."""

import hashlib
import io
import time

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import save

from ablate.data import Prepared
from ablate.data.batches import validation_batches
from ablate.metrics import Confusion, scores
from ablate.models import Segmenter
from ablate.runs import Machine, Result, RunFolder, atomic
from ablate.spec import Protocol
from ablate.train.engine import Engine

_PANELS = 4
_PANEL_SIDE_PX = 256
_HIT, _FALSE_ALARM, _MISS = (255, 255, 255), (230, 75, 53), (60, 130, 230)


def conclude(
    folder: RunFolder, engine: Engine, prepared: Prepared, validation: list[int], machine: Machine
) -> None:
    """Evaluates the selected epoch's weights once more and publishes the result.

    Args:
        folder: The run's folder.
        engine: Trained to the end; its model gets the selected weights.
        prepared: The data.
        validation: Indices of the validation images.
        machine: What the run was computed on.
    """
    state = engine.state
    if state.best is None:
        raise AssertionError("a training ends with a validation")
    started = time.monotonic()
    state.model.load_trainable_state(state.best.trained)
    val_loss, confusions = engine.validate()
    weights = save(state.model.trainable_state())
    atomic.replace(folder.weights_path, weights)
    _write_confusions(folder, [prepared.names[index] for index in validation], confusions)
    _write_panels(folder, state.model, prepared, validation[:_PANELS], engine.protocol)
    pooled = sum(confusions, Confusion.none())
    folder.publish_result(
        Result(
            key=folder.key,
            epoch=state.best.epoch,
            epochs=engine.protocol.epochs,
            steps=state.step,
            metrics={"val_loss": val_loss, **scores(pooled)},
            confusion={"tp": pooled.tp, "fp": pooled.fp, "fn": pooled.fn, "tn": pooled.tn},
            parameters=state.model.parameters_counted(),
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            machine=machine,
            finished=time.time(),
            train_s=state.elapsed_s + time.monotonic() - started,
        )
    )


def _write_confusions(folder: RunFolder, names: list[str], confusions: list[Confusion]) -> None:
    """``confusion.parquet``: one row for each validation image."""
    table = pd.DataFrame(
        {
            "image": names,
            "tp": [confusion.tp for confusion in confusions],
            "fp": [confusion.fp for confusion in confusions],
            "fn": [confusion.fn for confusion in confusions],
            "tn": [confusion.tn for confusion in confusions],
        }
    )
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    atomic.replace(folder.confusion_path, buffer.getvalue())


def _write_panels(
    folder: RunFolder, model: Segmenter, prepared: Prepared, indices: list[int], protocol: Protocol
) -> None:
    """``panels/NAME.png``: image, truth and prediction side by side.

    In the prediction white is landslide found, red is false alarm, blue is landslide missed.
    """
    device = next(model.parameters()).device
    with torch.inference_mode():
        for batch in validation_batches(prepared, indices, protocol):
            predicted = (model(batch.images.to(device)) > 0).cpu().numpy()[:, 0]
            for index, prediction in zip(batch.indices, predicted, strict=True):
                panel = _panel(
                    np.asarray(prepared.images[index]), prepared.masks[index] > 0, prediction
                )
                buffer = io.BytesIO()
                panel.save(buffer, format="PNG")
                atomic.replace(
                    folder.panels_path / f"{prepared.names[index]}.png", buffer.getvalue()
                )


def _panel(
    image: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]",
    truth: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]",
    prediction: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]",
) -> Image.Image:
    """Three square tiles (HxWx3, HxW, HxW) in a row."""
    painted = np.zeros_like(image)
    painted[prediction & truth] = _HIT
    painted[prediction & ~truth] = _FALSE_ALARM
    painted[truth & ~prediction] = _MISS
    white = np.repeat(truth[..., None], 3, axis=2).astype(np.uint8) * 255
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
