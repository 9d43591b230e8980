"""A run that is only evaluated: unadapted SAM (zero-shot), image by image."""

import json
import math
import time
from contextlib import suppress

import numpy as np
import torch

from ablate.errors import Interrupted
from ablate.metrics import Confusion
from ablate.metrics.masks import count_images, counted_names
from ablate.models import ZeroShot
from ablate.runs import Machine, Progress, RunFolder
from ablate.spec import Task
from ablate.train.cohort_setup import CohortSetup
from ablate.train.meter import Meter
from ablate.train.results import PANELS, Evaluated, publish, write_panel
from ablate.train.sharing import report_memory
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
    """Segments every validation and test image, from the first without a confusion in the folder.

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
    prepared, images = setup.prepared, [*setup.validation, *setup.test]
    task = setup.protocol.task
    panels = min(PANELS, len(setup.validation))
    confusions, train_before_s = _load(folder, len(images), task)
    started = saved = time.monotonic()
    begun = len(confusions)
    for position in range(begun, len(images)):
        index = images[position]
        ground_truth = prepared.masks[index] > 0
        prediction = model.predict(np.asarray(prepared.images[index]), ground_truth)
        predicted, actual = (
            torch.from_numpy(mask)[None, None] for mask in (prediction, ground_truth)
        )
        # A prediction is a mask already: it is certain, whatever the threshold.
        certain = torch.where(predicted, math.inf, -math.inf)
        confusions += count_images(certain, actual, task)
        if position < panels:
            write_panel(folder, prepared, index, prediction)
        meter.charge([folder])
        if position == begun:
            report_memory(setup.shared, setup.device)
        now, stopping = time.monotonic(), stop.requested
        if stopping or now - saved > _SAVE_EVERY_S:
            _save(folder, confusions, train_before_s + now - started)
            saved = now
        if stopping:
            raise Interrupted(f"stopped after {len(confusions)} of {len(images)} images")
        _report_progress(folder, len(confusions), len(images))
    publish(
        folder,
        Evaluated.of(prepared, setup.validation, confusions[: len(setup.validation)]),
        Evaluated.of(prepared, setup.test, confusions[len(setup.validation) :]),
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
    content = {"confusions": [[*each.cells.values()] for each in confusions], "train_s": train_s}
    folder.save_checkpoint(len(confusions), json.dumps(content).encode())


def _load(folder: RunFolder, images: int, task: Task) -> tuple[list[Confusion], float]:
    """Confusions of the images that are evaluated already, and the seconds that they took."""
    names = counted_names(task)
    for content in folder.load_checkpoints():
        # One that no evaluation of this run can have written is passed over.
        with suppress(ValueError, LookupError, TypeError):
            saved = json.loads(content)
            confusions = [
                Confusion(**dict(zip(names, map(_count, cells), strict=True)))
                for cells in saved["confusions"]
            ]
            train_s = float(saved["train_s"])
            if len(confusions) <= images and 0 <= train_s < math.inf:
                return confusions, train_s
    return [], 0.0


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no number of pixels")
    return value


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
