"""Command line over environment over ablate.toml; and every option has both."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ablate.cli.app import load_all
from ablate.cli.config import option_variables
from cli.command import ablate

PLAN = ["plan", "--grid", "table4", "--format", "json"]


def epochs(folder: Path, *words: str, **variables: str) -> int:
    done = ablate(folder, *PLAN, *words, **variables)
    assert done.returncode == 0, done.stderr
    found: int = json.loads(done.stdout)["context"]["protocol"]["epochs"]
    return found


def test_the_nearest_word_wins(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_text('set = ["epochs=3"]\nseeds = "4,5"\n')
    assert epochs(tmp_path) == 3
    assert epochs(tmp_path, ABLATE_SET="epochs=7 batch_size=2") == 7
    assert epochs(tmp_path, "--set", "epochs=9", ABLATE_SET="epochs=7") == 9
    runs = json.loads(ablate(tmp_path, *PLAN).stdout)["runs"]
    assert {run["seed"] for run in runs} == {4, 5}


def test_every_option_has_an_environment_variable() -> None:
    group = load_all()
    known = option_variables(group)
    for command in ("run", "plan", "status", "report", "ui", "sync", "doctor"):
        for param in group.commands[command].params:
            names = param.envvar if isinstance(param.envvar, list) else [param.envvar]
            if param.name in ("help", "dry_run"):
                continue
            assert names[0] in known, (command, param.name)
            assert names[0].startswith("ABLATE_")


def test_the_protocols_own_words_about_its_data_win(tmp_path: Path) -> None:
    for index in range(3):
        for folder, key, shape in (("img", "img", (128, 128, 14)), ("mask", "mask", (128, 128))):
            name = "image" if key == "img" else key
            path = tmp_path / "TrainData" / folder / f"{name}_{index}.h5"
            path.parent.mkdir(parents=True, exist_ok=True)
            with h5py.File(path, "w") as file:
                file[key] = np.ones(shape, dtype=np.float64)
    words = ["--protocol", "landslide4sense", "--data", ".", "--set", "backbone=vit_nano"]
    words += ["--set", "image_size_px=128"]

    def data(*more: str) -> dict[str, Any]:
        done = ablate(tmp_path, *PLAN, *words, *more)
        assert done.returncode == 0, done.stderr
        context: dict[str, Any] = json.loads(done.stdout)["context"]
        return {"scale": context["protocol"]["data"]["scale"]} | context["data"]

    declared, altered = data(), data("--set", "data.scale=20")
    assert (declared["scale"], altered["scale"]) == (25.5, 20)
    assert declared["label"] == "Landslide4Sense"
    assert declared["digest"] != altered["digest"]
