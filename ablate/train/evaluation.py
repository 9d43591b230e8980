"""A run that is only evaluated: unadapted SAM (zero-shot), image by image."""

import json
import time
from dataclasses import astuple

import numpy as np
import torch

from ablate.errors import Interrupted
from ablate.metrics import Confusion
from ablate.metrics.confusion import confusion_per_image
from ablate.models import ZeroShot
from ablate.runs import Machine, Progress, RunFolder
from ablate.train.cohort_setup import CohortSetup
from ablate.train.meter import Meter
from ablate.train.results import PANELS, publish, write_panel
from ablate.train.signals import Stop

_SAVE_EVERY_S = 20.0


def evaluate(
    folder: RunFolder,
    model: ZeroShot,
    setup: CohortSetup,
    machine: Machine,
    stop: Stop,
    meter: Meter,
) -> None:
    """Segments every validation image, from the first that the folder has no confusion of.

    Args:
        folder: The run's folder.
        model: SAM and its prompts.
        setup: The data; its precision is not used.
        machine: What the run is computed on.
        stop: Checked after every image.
        meter: Charges the run with every image.

    Raises:
        Interrupted: If a stop was requested; what is evaluated is saved.
    """
    prepared, validation = setup.prepared, setup.validation
    confusions, train_before_s = _load(folder)
    started = saved = time.monotonic()
    for position in range(len(confusions), len(validation)):
        index = validation[position]
        ground_truth = prepared.masks[index] > 0
        prediction = model.predict(np.asarray(prepared.images[index]), ground_truth)
        predicted, actual = (
            torch.from_numpy(mask)[None, None] for mask in (prediction, ground_truth)
        )
        confusions += confusion_per_image(predicted, actual)
        if position < PANELS:
            write_panel(folder, prepared, index, prediction)
        meter.charge([folder])
        now, stopping = time.monotonic(), stop.requested
        if stopping or now - saved > _SAVE_EVERY_S:
            _save(folder, confusions, train_before_s + now - started)
            saved = now
        if stopping:
            raise Interrupted(f"stopped after {len(confusions)} of {len(validation)} images")
        _report_progress(folder, len(confusions), len(validation))
    publish(
        folder,
        [prepared.names[index] for index in validation],
        confusions,
        epoch=0,
        epochs=0,
        steps=0,
        metrics={},
        trained={},
        parameters=model.count_parameters(),
        machine=machine,
        train_s=train_before_s + time.monotonic() - started,
        meter=meter,
    )


def _save(folder: RunFolder, confusions: list[Confusion], train_s: float) -> None:
    content = {"confusions": [astuple(each) for each in confusions], "train_s": train_s}
    folder.save_checkpoint(len(confusions), json.dumps(content).encode())


def _load(folder: RunFolder) -> tuple[list[Confusion], float]:
    """Confusions of the images that are evaluated already, and the seconds that they took."""
    content = folder.load_checkpoint()
    if content is None:
        return [], 0.0
    saved = json.loads(content)
    return [Confusion(*cells) for cells in saved["confusions"]], saved["train_s"]


def _report_progress(folder: RunFolder, done: int, images: int) -> None:
    folder.write_progress(
        Progress(
            epoch=1,
            epochs=0,
            step_in_epoch=done,
            steps_per_epoch=images,
            loss=None,
            time=time.time(),
        )
    )
