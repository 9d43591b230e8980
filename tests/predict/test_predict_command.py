"""``ablate predict`` and ``ablate export`` as commands."""

from pathlib import Path

import pytest

from ablate import Study
from cli.command import ablate
from predict.conftest import ROW
from predict.rasters import landscape, write_raster


def test_a_row_becomes_a_map(study: Study, tmp_path: Path) -> None:
    write_raster(tmp_path / "scene.tif", landscape(70, 90))
    words = ("--grid", "table4", "--row", ROW, "--store", str(study.request.store))
    done = ablate(
        tmp_path, "predict", "scene.tif", *words, ABLATE_OUT="maps", ABLATE_DEVICE="cpu cpu"
    )
    assert done.returncode == 0, done.stderr
    assert "the mean of seeds 0, 1 · demo" in done.stderr
    assert "scene.tif: " in done.stdout
    assert {path.name for path in (tmp_path / "maps").iterdir()} >= {
        *("scene-mask.tif", "scene-probability.tif", "scene.gpkg", "scene.png", "scene.json")
    }


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["predict", "a.tif", "--out", "x"], "it is not said which model is meant"),
        (["predict", "a.tif", "--out", "x", "--export", "e", "--run", "f"], "name two models"),
        (["export", "--out", "x", "--row", "a"], "it is not said which model is meant"),
    ],
    ids=["no-model", "two-models", "no-sweep"],
)
def test_a_command_that_names_no_model_is_one_line(
    words: list[str], problem: str, tmp_path: Path
) -> None:
    done = ablate(tmp_path, *words)
    assert done.returncode == 2
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
