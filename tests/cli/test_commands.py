"""The commands that only look: variants, plan, status, doctor."""

import json
from pathlib import Path

import pytest

from ablate.runs import Failure, Store
from cli.command import ablate, output, rows


def test_list_names_what_sets_the_variants_apart(tmp_path: Path) -> None:
    listed = {row["name"]: row for row in rows(tmp_path, "variants", "list")}
    assert listed["translandseg-6"] == {
        "name": "translandseg-6",
        "label": "TransLandSeg-6",
        "system": "sam",
        "adapter": "atl",
        "midlays": "m×2 + c×3",
        "residual": True,
        "placement": "inside",
        "width": 2,
        "kernel_size": 3,
        "up_init": "zero",
        "sites": "all",
        "trained": "adapter, mask decoder",
        "encoder_weights": "pretrained",
        "architecture": None,
        "auxiliary_weight": None,
        "prompts": None,
        **dict.fromkeys(["arrangement", "method", "rank", "alpha", "target", "on", "scale"]),
    }
    assert listed["translandseg-23-sites"]["sites"] == "between"
    assert listed["random-encoder"]["encoder_weights"] == "random"
    assert listed["translandseg-released-c3"]["width"] == 32
    assert (listed["unet"]["system"], listed["unet"]["architecture"]) == ("cnn", "UNet")
    assert listed["unet"]["midlays"] is None
    assert listed["sam-everything"]["prompts"] == "everything"


def test_list_names_every_variant_in_80_columns(tmp_path: Path) -> None:
    listed = [row["name"] for row in rows(tmp_path, "variants", "list")]
    lines = ablate(tmp_path, "variants", "list", COLUMNS="80").stdout.splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines)
    first_words = [line.split()[0] for line in lines if line.strip()]
    assert all(first_words.count(name) == 1 for name in listed)


def test_show_draws_where_the_atl_sits(tmp_path: Path) -> None:
    outside = output(tmp_path, "variants", "show", "translandseg")
    assert "MidLay m×1, outside the transformer blocks, with residual connection" in outside
    assert "L_down  Linear  1024 → 2  2,050  trained" in outside
    assert "123,072 in adapters at 24 sites" in outside
    inside = output(tmp_path, "variants", "show", "translandseg-9", "--backbone", "vit_nano")
    assert "inside the transformer blocks" in inside
    assert "96 → 2" in inside


@pytest.mark.parametrize(
    ("name", "sites"),
    [("translandseg-5", 24), ("translandseg-23-sites", 23), ("translandseg-released-c3", 24)],
)
def test_show_as_json_counts_what_params_counts(tmp_path: Path, name: str, sites: int) -> None:
    shown = json.loads(output(tmp_path, "variants", "show", name, "--format", "json"))
    (counted,) = rows(tmp_path, "variants", "params", name)
    assert shown["sites"] == counted["sites"] == sites
    (adapters,) = [part for part in shown["parts"] if part["name"].startswith("adapters at")]
    assert adapters["parameters"] == shown["adapter"] == counted["adapter"]
    assert sum(part["parameters"] for part in shown["parts"]) == shown["total"]


def test_show_draws_a_cnn_baselines_encoder_and_heads(tmp_path: Path) -> None:
    drawn = output(tmp_path, "variants", "show", "ccnet")
    parts = ("CCNet on ResNet-101", "stem", "stage 4", "query  Conv 1×1", "└── 71,269,443")
    assert sorted(parts, key=drawn.index) == list(parts)
    assert "stage 3  23 bottleneck blocks  512 → 1024  26,090,496" in drawn
    assert "last features at 1/8 of the image's side" in drawn
    assert "its loss weighted with 0.4" in drawn
    assert "71,269,443 parameters, 71,269,443 trained" in drawn


def test_show_draws_how_sam_is_prompted(tmp_path: Path) -> None:
    points = output(tmp_path, "variants", "show", "sam-points")
    assert "one point inside each region of the ground truth" in points
    assert "312,342,832 parameters, 0 trained" in points
    masks = output(tmp_path, "variants", "show", "sam-everything", "--backbone", "vit_b")
    assert "on SAM ViT-B" in masks
    assert "a grid of 32 × 32 points" in masks


def test_params_are_exact(tmp_path: Path) -> None:
    counted = {
        row["variant"]: row for row in rows(tmp_path, "variants", "params", "--backbone", "vit_l")
    }
    assert len(counted) == 41
    assert (counted["pspnet"]["total"], counted["pspnet"]["trainable"]) == (46_582_337,) * 2
    assert (counted["sam-points"]["total"], counted["sam-points"]["trainable"]) == (312_342_832, 0)
    assert counted["translandseg"] == {
        "variant": "translandseg",
        "total": 312_459_684,
        "trainable": 4_181_412,
        "adapter": 123_072,
        "sites": 24,
    }


def test_plan_says_what_would_run_and_writes_nothing(tmp_path: Path) -> None:
    words = ["--grid", "table4", "--seeds", "0,1", "--device", "cpu", "--device", "cpu"]
    plan = json.loads(output(tmp_path, "plan", *words, "--format", "json"))
    assert [run["state"] for run in plan["runs"]] == ["new"] * 20
    assert {run["cohort"] for run in plan["runs"] if run["seed"] == 1} == {2}
    assert "20 of 20 runs to train, in 2 cohorts" in output(tmp_path, "plan", *words)
    assert output(tmp_path, "run", *words, "--dry-run") == output(tmp_path, "plan", *words)
    assert list(tmp_path.iterdir()) == []


def test_plan_says_on_which_splits(tmp_path: Path) -> None:
    split = "split={kind: kfold, folds: 7, seed: 1, test: {share: 0.2, seed: 0}}"
    words = ("--grid", "table4", "--variant", "translandseg", "--device", "cpu", "--set", split)
    lines = output(tmp_path, "plan", *words, "--splits", "7", "--seeds", "0,1").splitlines()
    # 480 of 600 scenes in seven folds.
    assert "7 splits × 2 seeds · protocol demo with" in lines[-2]
    assert ": 411 … 412 to train, 68 … 69 to validate, 120 to test · SAM-nano" in lines[-2]
    assert lines[-1] == "14 of 14 runs to train, in 14 cohorts"
    assert [line.split()[1:3] for line in lines[3:5]] == [["0", "0"], ["0", "1"]]
    done = ablate(tmp_path, "plan", *words, "--format", "json", ABLATE_SPLITS="2")
    plan = json.loads(done.stdout)
    assert [each["split"]["fold"] for each in plan["splits"]] == [0, 1]
    assert [run["split"] for run in plan["runs"]] == [0, 1]
    refused = ablate(tmp_path, "plan", *words, "--splits", "8")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "7 folds give 7 splits and no more; ask for 7 splits at most" in refused.stderr


def test_status_tells_states_apart(tmp_path: Path, started_store: Path) -> None:
    first, second, *_ = Store(started_store).runs()
    first.save_checkpoint(1, b"state")
    second.write_failure(Failure(kind="error", message="out of luck", detail="", time=0.0))
    (sweep,) = rows(tmp_path, "status", "--store", str(started_store))
    found = {run["key"]: (run["state"], run["note"]) for run in sweep["runs"]}
    assert found.pop(first.key) == ("interrupted", None)
    assert found.pop(second.key) == ("failed", "out of luck")
    assert set(found.values()) == {("new", None)}
    text = output(tmp_path, "status", "--store", str(started_store))
    assert "8 new, 1 interrupted, 1 failed" in text


def test_doctor_examines_and_leaves_nothing(tmp_path: Path) -> None:
    findings = {line["what"]: line for line in rows(tmp_path, "doctor")}
    assert findings["torch"]["state"] == "ok"
    assert findings["catalogue"]["state"] == "ok"
    assert findings["store"]["finding"].endswith("ablate-store, not there yet")
    assert findings["data"]["state"] == findings["checkpoint"]["state"] == "note"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "what", "expected"),
    [
        (["--data", "nowhere"], "data", "nowhere does not exist"),
        (["--checkpoint", "nowhere.pth"], "checkpoint", "there is no file nowhere.pth"),
    ],
)
def test_doctor_finds_what_is_wrong(
    tmp_path: Path, words: list[str], what: str, expected: str
) -> None:
    findings = json.loads(output(tmp_path, "doctor", *words, "--format", "json", code=1))
    (finding,) = [line for line in findings if line["what"] == what]
    assert finding["state"] == "problem"
    assert expected in finding["finding"]


def test_doctor_points_at_a_broken_catalogue(tmp_path: Path) -> None:
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "mine.yaml").write_text("extends: missing\n")
    findings = json.loads(output(tmp_path, "doctor", "--format", "json", code=1))
    (finding,) = [line for line in findings if line["what"] == "catalogue"]
    assert "no variant is called 'missing'" in finding["finding"]


def test_doctor_opens_mlflows_database(tmp_path: Path) -> None:
    database = tmp_path / "ablate-store" / "mlflow" / "mlflow.db"
    database.parent.mkdir(parents=True)
    database.write_text("no database")
    findings = json.loads(output(tmp_path, "doctor", "--format", "json", code=1))
    (finding,) = [line for line in findings if line["what"] == "MLflow"]
    assert finding["state"] == "problem"
    assert "mlflow.db" in finding["finding"]
