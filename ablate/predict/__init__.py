"""From a trained row to masks, maps and exports."""

from ablate.predict.export import load_export, new_export, write_export
from ablate.predict.loading import load_runs
from ablate.predict.map_settings import MapSettings
from ablate.predict.scene_job import SceneOutcome
from ablate.predict.scenes import ScenePlan, plan_scenes, predict_scenes
from ablate.predict.trained import TrainedModel

__all__ = [
    "MapSettings",
    "SceneOutcome",
    "ScenePlan",
    "TrainedModel",
    "load_export",
    "load_runs",
    "new_export",
    "plan_scenes",
    "predict_scenes",
    "write_export",
]
