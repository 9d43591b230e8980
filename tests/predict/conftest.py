from pathlib import Path

import pytest

from ablate import Study
from ablate.study.trained_rows import TrainedRow, find_trained
from tiny_sweeps import tiny_study

ROW = "translandseg-4"


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A row of Table IV, trained with two seeds on twenty generated scenes of 64 pixels."""
    store = tmp_path_factory.mktemp("trained") / "store"
    study = tiny_study(store, variants=[ROW], seeds=(0, 1), executor="inline")
    study.run()
    return study


@pytest.fixture(scope="session")
def row(study: Study) -> TrainedRow:
    return find_trained(study.request.store, "table4", ROW, None)


@pytest.fixture(scope="session")
def export(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The row's first run, exported."""
    folder = tmp_path_factory.mktemp("exports") / "model"
    study.export(ROW, folder)
    return folder
