"""``predict_row``: maps of scenes from a trained row, or from an export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import BadInput
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
    device: str = "cpu",
    announce: Announce = lambda plan, models: None,
    advance: Callable[[int, int, int], None] = lambda scene, done, of: None,
) -> list[SceneOutcome]:
    """Checks the inputs, loads the models, makes the maps.

    Args:
        source: The row, or the folder of an export.
        scenes: Files, and folders of files.
        out: The folder of the maps.
        settings: How they are made.
        checkpoint: SAM's weights; None: where the store has last seen them.
        device: Where to compute.
        announce: Is called before anything is computed.
        advance: Is told how far it is: the scene's number, windows done, and of how many.

    Raises:
        BadInput: If an input, the model, the device or the folder cannot be used; nothing was
            started.
    """
    # Torch takes seconds to load.
    from ablate.models.devices import check_device
    from ablate.predict import load_runs, plan_scenes, predict_scenes
    from ablate.predict.ground import training_ground
    from ablate.predict.loading import checked_spec

    where = check_device(device)
    if isinstance(source, Path):
        models: Sequence[TrainedModel] = [load(source, checkpoint=checkpoint, device=device)]
        spec, ground_m = models[0].spec, models[0].ground_m
    else:
        spec = checked_spec(source.folders[0])
        ground_m = training_ground(spec, source.store)
    settings = settings.for_training_at(ground_m)
    plan = plan_scenes(scenes, spec.context.protocol.data, out, settings, ground_m)
    if not isinstance(source, Path):
        models = load_runs(source.folders, checkpoint, where)
    announce(plan, models)
    return predict_scenes(models, plan, out, settings, advance)


def chosen_device(names: Sequence[str]) -> str:
    """The one device of a prediction; the first GPU, or else the CPU, where none is named.

    Raises:
        BadInput: If several are named.
    """
    if len(names) > 1:
        raise BadInput(
            f"{len(names)} devices are named, and a prediction computes on one",
            "name one, and give each device scenes of its own",
        )
    if names:
        return names[0]
    from ablate.models.devices import available_devices

    return available_devices()[0]
