"""Command line over environment over ``ablate.toml``; every option has all three."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ablate.cli.app import load_all
from ablate.cli.config import KEYS, Kind, default_map, key_of, read_settings
from ablate.errors import BadInput
from cli.command import ablate

PLAN = ["plan", "--grid", "table4", "--device", "cpu", "--format", "json"]


def planned(folder: Path, *words: str, **variables: str) -> dict[str, Any]:
    done = ablate(folder, *PLAN, *words, **variables)
    assert done.returncode == 0, done.stderr
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def epochs(folder: Path, *words: str, **variables: str) -> int:
    found: int = planned(folder, *words, **variables)["context"]["protocol"]["epochs"]
    return found


def all_params() -> list[Any]:
    """The options and arguments of every command."""
    found, commands = [], [load_all()]
    while commands:
        command = commands.pop()
        found += command.params
        commands += getattr(command, "commands", {}).values()
    return found


def test_the_nearest_value_wins(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_text('set = ["epochs=3"]\nseeds = "4,5"\n')
    assert epochs(tmp_path) == 3
    assert epochs(tmp_path, ABLATE_SET="epochs=7 batch_size=2") == 7
    assert epochs(tmp_path, "--set", "epochs=9", ABLATE_SET="epochs=7") == 9
    assert {run["seed"] for run in planned(tmp_path)["runs"]} == {4, 5}


def test_items_of_lists_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_text(
        'set = ["epochs=1", "mean=[0.1, 0.2, 0.3]"]\nseeds = [0, 1]\nvariant = "translandseg"\n'
    )
    plan = planned(tmp_path)
    protocol = plan["context"]["protocol"]
    assert (protocol["epochs"], protocol["mean"]) == (1, [0.1, 0.2, 0.3])
    assert [(run["variant"], run["seed"]) for run in plan["runs"]] == [
        ("translandseg", 0),
        ("translandseg", 1),
    ]


def test_several_paths_are_several_paths(tmp_path: Path) -> None:
    for name in ("resnet50-x.pth", "resnet101-y.pth"):
        (tmp_path / name).write_bytes(b"weights")
    (tmp_path / "ablate.toml").write_text(
        'backbone_weights = ["resnet50-x.pth", "resnet101-y.pth"]\n'
    )
    done = ablate(tmp_path, "plan", "--grid", "table2", "--protocol", "demo", "--format", "json")
    assert done.returncode == 0, done.stderr
    resnets = json.loads(done.stdout)["context"]["resnets"]
    labels = {each["label"] for each in resnets.values()}
    assert {"ResNet-50 from resnet50-x.pth", "ResNet-101 from resnet101-y.pth"} <= labels


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_bytes(b'\xef\xbb\xbfset = ["epochs=1"]\n')
    assert epochs(tmp_path) == 1


@pytest.mark.parametrize("words", [[], ["--store=~/runs"]], ids=["file", "command line"])
def test_a_path_may_begin_with_the_home_folder(tmp_path: Path, words: list[str]) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    home.mkdir()
    folder.mkdir()
    if not words:
        (folder / "ablate.toml").write_text('store = "~/runs"\n')
    done = ablate(folder, "status", *words, HOME=str(home))
    assert done.returncode == 2
    assert f"no sweep was started in {home / 'runs'}" in done.stderr
    assert not (folder / "~").exists()


def test_help_shows_the_settings_as_defaults(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_text('store = "elsewhere"\n')
    shown = " ".join(ablate(tmp_path, "status", "--help").stdout.split())
    assert "default: elsewhere]" in shown


def test_the_help_of_all_commands_needs_no_settings(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_text("broken\n")
    assert ablate(tmp_path, "--help").returncode == 0


def test_settings_of_executors_have_tables_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "ablate.toml"
    path.write_text('[executor]\nname = "inline"\n[executor.local]\nthreads_per_worker = 2\n')
    settings = read_settings(path)
    assert settings.options == {"executor": "inline"}
    assert settings.executors == {"local": {"threads_per_worker": 2}}
    path.write_text('executor = "local"\n')
    assert read_settings(path).options == {"executor": "local"}


def test_settings_of_an_executor_reach_it(tmp_path: Path) -> None:
    (tmp_path / "ablate.toml").write_text("[executor.local]\nthread = 2\n")
    done = ablate(tmp_path, "run", "--grid", "table4", "--device", "cpu", "--dry-run")
    assert done.returncode == 2
    assert done.stderr.startswith("error: [executor.local] thread: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stor = 'x'", "unknown key 'stor'; did you mean 'store'?"),
        ("zzz = 'x'", "unknown key 'zzz'; its keys are backbone, backbone_weights, "),
        ("remove = true", "unknown key 'remove'; what removes files is said each time: give --rem"),
        ("store = ", "cannot be read: "),
        ("port = " + 5000 * "9", "cannot be read: "),
        ("set = " + 5000 * "[", "cannot be read: "),
        ("store = {a = 1}", "store is a table; give a text"),
        ("store = ['a', 'b']", "store is a list; give a text"),
        ("store = 3", "store is 3; give a text"),
        ("store = 2024-01-01", "store is 2024-01-01; give a text"),
        ("set = [3]", "set is a list; give a list of texts"),
        ("port = '80'", "port is '80'; give a whole number"),
        ("port = true", "port is true; give a whole number"),
        ("min_area = '80'", "min_area is '80'; give a number"),
        ("min_area = nan", "min_area is nan; give a number"),
        ("port = 1.5", "port is 1.5; give a whole number"),
        ("quiet = 'yes'", "quiet is 'yes'; give true or false"),
        ("seeds = [0.5]", "seeds is a list; give a list of whole numbers"),
        ("[executor]\nlocal = 3", "executor.local is not a table; choose an executor with"),
    ],
    ids=lambda value: value[:30],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "ablate.toml").write_text(text + "\n")
    done = ablate(tmp_path, "variants", "list")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ablate.toml")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_keys_are_those_of_the_options_and_take_what_they_take() -> None:
    found: dict[str, Kind] = {}
    for param in all_params():
        key = key_of(param)
        if key is None:
            continue
        kind = Kind.TEXTS if param.multiple else Kind.TEXT
        if getattr(param, "is_bool_flag", False):
            kind = Kind.FLAG
        elif "int" in param.type_descriptor.annotation.__name__:
            kind = Kind.NUMBER
        elif "float" in param.type_descriptor.annotation.__name__:
            kind = Kind.DECIMAL
        assert found.setdefault(key, kind) is kind
    assert found | {"seeds": Kind.NUMBERS} == KEYS


def test_every_option_has_an_environment_variable() -> None:
    for param in all_params():
        is_option = param.param_type_name == "option"
        if is_option and param.name not in ("help", "version", "dry_run", "remove"):
            assert key_of(param), param.name


def test_settings_reach_subcommands() -> None:
    defaults = default_map(load_all(), {"backbone": "vit_b", "store": "s"})
    assert defaults["variants"]["show"] == {"backbone": "vit_b"}
    assert defaults["status"] == {"store": "s"}
    assert defaults["variants"]["check"] == {}


def test_a_file_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_settings(tmp_path)


def test_the_protocols_own_declaration_of_its_data_wins(tmp_path: Path) -> None:
    for index in range(4):
        for folder, key, shape in (("img", "img", (128, 128, 14)), ("mask", "mask", (128, 128))):
            name = "image" if key == "img" else key
            path = tmp_path / "TrainData" / folder / f"{name}_{index}.h5"
            path.parent.mkdir(parents=True, exist_ok=True)
            with h5py.File(path, "w") as file:
                file[key] = np.ones(shape, dtype=np.float64)
    words = [
        "--device",
        "cpu",
        "--protocol",
        "landslide4sense",
        "--data",
        ".",
        "--set",
        "backbone=vit_nano",
    ]
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
