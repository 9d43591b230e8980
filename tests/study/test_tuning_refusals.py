"""What cannot be tuned is one line before anything is written; what a space means for each row."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablate import Study
from ablate.errors import BadInput, StoreError
from ablate.plan import look_up
from ablate.runs import Store
from ablate.study.tuning_ledger import only_tuning
from study.tuning_studies import KERNEL, ONE, RATE, SWEEP, TUNE, study
from tiny_sweeps import OVERRIDES


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_process_tunes_a_sweep(folder: Path) -> None:
    planned = study(folder, TUNE, **ONE).plan_tuning(trials=2)
    context = planned.sweep.plan.context
    with (
        only_tuning(Store(folder / "store"), f"mine-{context.id}"),
        pytest.raises(StoreError, match="another process is tuning this sweep"),
    ):
        study(folder, TUNE, **ONE).tune(trials=2)
    assert not (folder / "store" / "runs").exists()


@pytest.mark.parametrize(
    ("tune", "words", "message"),
    [
        ({"space": {"optimizer.rate": RATE}}, {}, "optimizer.rate is a field neither of protocol"),
        ({"space": {"adapter.depth": RATE}}, {}, "adapter.depth is a field neither of protocol"),
        ({"space": {"optimizer": RATE}}, {}, "optimizer is not a single value"),
        ({"space": {"image_size_px": KERNEL}}, {}, "image_size_px cannot be tuned: scores at"),
        ({"space": {"split.seed": KERNEL}}, {}, "split.seed cannot be tuned: scores on"),
        ({"space": {"data.seed": KERNEL}}, {}, "data.seed cannot be tuned: scores on"),
        ({"space": {"backbone": RATE}}, {}, "backbone cannot be tuned: all trials share"),
        ({"space": {"adapter.kind": RATE}}, {}, "adapter.kind cannot be tuned: it makes"),
        ({"space": {"encoder_weights": RATE}}, {}, "encoder_weights cannot be tuned"),
        (
            {"space": {"optimizer.lr": {"low": 1e-6, "high": 1e-2}}},
            {},
            "schedule.lr_min 1e-05 is above optimizer.lr 1e-06",
        ),
        (
            {"space": {"adapter.kernel_size": {"low": 2, "high": 4}}},
            {},
            "row translandseg-2 with adapter.kernel_size=2: 2 is even",
        ),
        ({"space": {"batch_size": {"low": 0, "high": 4}}}, {}, "batch_size"),
        ({"space": {"optimizer.lr": {"low": 1}}}, {}, "give low and high, or choices"),
        ({"space": {}}, {}, "tune.space"),
        (TUNE, {"trials": 0}, "0 trials are out of range"),
        (TUNE, {"trials": 10**6}, "1000000 trials are out of range; give a number from 1"),
        (TUNE, {"sampler": "grid"}, "there is no sampler 'grid'"),
        (TUNE, {"sampler_seed": -1}, "the sampler's seed -1 is out of range"),
        (TUNE, {"storage": "nonsense"}, "--storage cannot be used"),
        (
            TUNE | {"validation_share": 0.05},
            {},
            "of 13 training images, an inner validation_share of 0.05",
        ),
    ],
)
def test_bad_input_is_one_line_before_anything_is_written(
    folder: Path, tune: dict[str, Any], words: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message.replace("(", r"\(")) as caught:
        study(folder, tune).tune(**words)
    assert all("\n" not in line for line in getattr(caught.value, "problems", [str(caught.value)]))
    assert not (folder / "store").exists()


def test_a_sweep_without_the_section_cannot_be_tuned(folder: Path) -> None:
    with pytest.raises(BadInput, match="sweep bottleneck does not say what to tune; add to its"):
        Study("bottleneck", store=folder / "store").tune()
    inner = {"kind": "inner", "of": {"kind": "folders"}, "validation_share": 0.3, "seed": 0}
    overrides = (*OVERRIDES, f"split={json.dumps(inner)}")
    with pytest.raises(BadInput, match=r"has an inner split|split\.train"):
        study(folder, TUNE, overrides=overrides).tune()


def test_what_is_only_evaluated_has_nothing_to_tune(folder: Path) -> None:
    sweep = SWEEP | {"variants": ["sam-points", "decoder-only"], "baseline": None, "tune": TUNE}
    (folder / "sweeps").mkdir()
    (folder / "sweeps" / "other.yaml").write_text(yaml.safe_dump(sweep))
    words: dict[str, Any] = {"overrides": OVERRIDES, "devices": ["cpu"], "store": folder / "store"}
    assert Study("other", **words).plan_tuning().rows == ("decoder-only",)
    with pytest.raises(BadInput, match="no row is trained"):
        Study("other", variants=["sam-points"], **words).plan_tuning()


def test_a_space_follows_the_types_of_the_fields(folder: Path) -> None:
    """Whole ends of a real field are real; a field of some rows is left out for the others."""
    tune = {"space": {"optimizer.weight_decay": {"low": 0, "high": 1}, "adapter.width": KERNEL}}
    tune["space"]["adapter.width"] = {"low": 2, "high": 9}
    planned = study(folder, tune).plan_tuning(trials=8)
    settings = planned.settings_by_row(8)
    assert {type(each["optimizer.weight_decay"]) for each in settings["translandseg"]} == {float}
    assert {type(each["adapter.width"]) for each in settings["translandseg"]} == {int}
    assert all(each.keys() == {"optimizer.weight_decay"} for each in settings["decoder-only"])
    specs = [planned.trial_spec("translandseg", setting) for setting in settings["translandseg"]]
    assert [spec.variant.adapter.width for spec in specs] == [
        setting["adapter.width"] for setting in settings["translandseg"]
    ]
    assert len({run.folder.key for run in look_up(specs, Store(folder / "store"))}) == 8
