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
        "sites": "all",
        "architecture": None,
        "prompts": None,
    }
    assert listed["translandseg-23-sites"]["sites"] == "between"
    assert listed["translandseg-released-c3"]["width"] == 32
    assert (listed["unet"]["system"], listed["unet"]["architecture"]) == ("cnn", "unet")
    assert listed["unet"]["midlays"] is None
    assert listed["sam-everything"]["prompts"] == "everything"


def test_list_names_every_variant_in_80_columns(tmp_path: Path) -> None:
    listed = {row["name"]: row["system"] for row in rows(tmp_path, "variants", "list")}
    done = ablate(tmp_path, "variants", "list", COLUMNS="80")
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    assert {line[0]: line[1] for line in lines} == listed
    assert set(listed.values()) == {"sam", "cnn", "sam-zero-shot"}


def test_show_draws_where_the_atl_sits(tmp_path: Path) -> None:
    outside = output(tmp_path, "variants", "show", "translandseg")
    assert outside.index("ATL  Ω(X) = Θ(X) + X") < outside.index("transformer block")
    assert "L_down  Linear  1024 → 2  2,050" in outside
    assert "123,072 adapter parameters at 24 sites" in outside
    inside = output(tmp_path, "variants", "show", "translandseg-9", "--backbone", "vit_nano")
    assert inside.index("attention") < inside.index("ATL  Θ(X)") < inside.index("MLP")
    assert "96 → 2" in inside


@pytest.mark.parametrize(
    ("name", "sites"),
    [
        ("translandseg-5", 24),
        ("translandseg-23-sites", 23),
        ("translandseg-released", 24),
        ("translandseg-released-c3", 24),
    ],
)
def test_show_as_json_counts_what_params_counts(tmp_path: Path, name: str, sites: int) -> None:
    shown = json.loads(output(tmp_path, "variants", "show", name, "--format", "json"))
    (counted,) = rows(tmp_path, "variants", "params", name)
    assert shown["sites"] == counted["sites"] == sites
    own = shown["sites"] * shown["parameters_per_site"]
    assert own + shown["parameters_shared"] == counted["adapter"]


def test_show_draws_what_the_released_prompts_share(tmp_path: Path) -> None:
    drawn = output(tmp_path, "variants", "show", "translandseg-released")
    shared, site, neck = (drawn.index(text) for text in ("shared by all", "prompt  X +", "neck"))
    assert shared < drawn.index("L_down  Linear  1024 → 32  32,800") < site
    assert shared < drawn.index("L_up  Linear  32 → 1024  33,792") < site < neck
    assert neck < drawn.index("no-mask embedding  256  trained")
    assert "116,544 adapter parameters at 24 sites" in drawn


def test_show_draws_a_rivals_encoder_and_head(tmp_path: Path) -> None:
    drawn = output(tmp_path, "variants", "show", "ccnet")
    parts = ("CCNet on ResNet-101", "stem", "stage 4", "criss-cross, query", "auxiliary head  Conv")
    assert sorted(parts, key=drawn.index) == list(parts)
    assert "stage 3  23 bottleneck blocks  512 → 1024  26,090,496" in drawn
    assert "last features at 1/8 of the image's side" in drawn
    assert "loss + 0.4 × loss of the auxiliary head" in drawn
    assert "71,269,443 parameters, all trained" in drawn
    assert "auxiliary" not in output(tmp_path, "variants", "show", "pspnet")


def test_show_draws_what_sam_itself_is_asked(tmp_path: Path) -> None:
    points = output(tmp_path, "variants", "show", "sam-points")
    assert "one point inside each landslide of the truth" in points
    assert "stability" not in points
    assert "312,342,832 parameters, none trained" in points
    masks = output(tmp_path, "variants", "show", "sam-everything", "--backbone", "vit_b")
    assert "on SAM ViT-B" in masks
    assert "a grid of 32 × 32 points" in masks
    assert "quality ≥ 0.88, stability ≥ 0.95: landslide if most of it is, says the truth" in masks


@pytest.mark.parametrize(
    ("name", "backbone", "parts"),
    [
        ("unet", None, ("encoder_layers", "head_layers")),
        ("sam-points", "vit_l", ("layers",)),
    ],
)
def test_show_as_json_has_every_layer_of_other_systems(
    tmp_path: Path, name: str, backbone: str | None, parts: tuple[str, ...]
) -> None:
    shown = json.loads(output(tmp_path, "variants", "show", name, "--format", "json"))
    (counted,) = rows(tmp_path, "variants", "params", name)
    assert shown["backbone"] == backbone
    assert sum(layer["parameters"] for part in parts for layer in shown[part]) == shown["total"]
    assert {key: shown[key] for key in counted if key != "variant"} == {
        key: value for key, value in counted.items() if key != "variant"
    }


def test_params_are_exact(tmp_path: Path) -> None:
    counted = {
        row["variant"]: row for row in rows(tmp_path, "variants", "params", "--backbone", "vit_l")
    }
    assert len(counted) == 22
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
    (tmp_path / "variants" / "mine.yaml").write_text("extends: nobody\n")
    findings = json.loads(output(tmp_path, "doctor", "--format", "json", code=1))
    (finding,) = [line for line in findings if line["what"] == "catalogue"]
    assert "no variant is called 'nobody'" in finding["finding"]
