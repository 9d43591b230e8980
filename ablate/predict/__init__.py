"""From a trained row to masks, maps and exports."""

from ablate.predict.export import load_export, write_export
from ablate.predict.loading import load_runs
from ablate.predict.trained import TrainedModel

__all__ = ["TrainedModel", "load_export", "load_runs", "write_export"]
