"""``predict_row``: maps of scenes from a trained row, or from an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.study.reuse import load
from ablate.study.trained_rows import TrainedRow

if TYPE_CHECKING:
    from ablate.predict import MapSettings, SceneOutcome, ScenePlan, TrainedModel

Announce = Callable[["ScenePlan", "Sequence[TrainedModel]"], None]


def predict_row(
    source: TrainedRow | Path,
    scenes: Sequence[Path],
    out: Path,
    settings: MapSettings,
    *,
    checkpoint: Path | None = None,
    devices: Sequence[str] = ("cpu",),
    announce: Announce = lambda plan, models: None,
    advance: Callable[[int, int, int], None] = lambda scene, done, of: None,
    say: Callable[[str], None] = lambda line: None,
) -> list[SceneOutcome]:
    """Checks the inputs, loads the models, makes the maps.

    Args:
        source: The row, or the folder of an export.
        scenes: Files, and folders of files.
        out: The folder of the maps.
        settings: How they are made.
        checkpoint: SAM's weights; None: where the store has last seen them.
        devices: Where to compute; several share the work, and one that is there twice computes
            twice at a time.
        announce: Is called before anything is computed.
        advance: Is told how far it is: the scene's number, windows done, and of how many.
        say: Is told in a line what the user should know meanwhile, from any thread.

    Raises:
        BadInput: If an input, the model, the device or the folder cannot be used; nothing was
            started.
    """
    # Torch takes seconds to load.
    from ablate.models.devices import check_device
    from ablate.predict import load_runs, plan_scenes, predict_scenes
    from ablate.predict.ground import training_ground
    from ablate.predict.loading import checked_spec

    where = [check_device(device) for device in devices]
    if isinstance(source, Path):
        copies: list[Sequence[TrainedModel]] = [
            [load(source, checkpoint=checkpoint, device=device)] for device in devices
        ]
        spec, ground_m = copies[0][0].spec, copies[0][0].ground_m
    else:
        spec = checked_spec(source.folders[0])
        ground_m = training_ground(spec, source.store)
    settings = settings.for_training_at(ground_m)
    plan = plan_scenes(scenes, spec.context.protocol.data, out, settings, ground_m)
    if not isinstance(source, Path):
        copies = [load_runs(source.folders, checkpoint, device) for device in where]
    models, *more = copies
    announce(plan, models)
    return predict_scenes(models, plan, out, settings, advance, more_copies=more, say=say)


def chosen_devices(names: Sequence[str]) -> tuple[str, ...]:
    """The devices of a prediction: those that are named, or all GPUs, or else the CPU."""
    if names:
        return tuple(names)
    from ablate.models.devices import available_devices

    return tuple(available_devices())
