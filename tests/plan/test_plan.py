"""From a sweep to runs, and from runs to cohorts."""

import dataclasses
import os
from pathlib import Path

import pytest

from ablate.errors import BadInput, WeightsError
from ablate.plan import (
    PlannedRun,
    begin,
    cohorts,
    identify_resnets,
    identify_weights,
    make,
    sweep_runs,
)
from ablate.registry import Catalogue, shipped
from ablate.runs import Failure, State, Store
from ablate.spec import BACKBONES, NANO_WEIGHTS, Context, Variant, random_resnet


def planned(context: Context, store: Store, seeds: tuple[int, ...] = (0,)) -> list[PlannedRun]:
    runs = sweep_runs(Catalogue(), "table4", context, seeds)
    return list(make(Catalogue().sweep("table4"), context, runs, store).runs)


def test_runs_are_variants_in_the_tables_order_each_with_its_seeds(context: Context) -> None:
    runs = sweep_runs(Catalogue(), "table4", context, (0, 1))
    assert [(run.name, run.seed) for run in runs[:3]] == [
        ("translandseg-1", 0),
        ("translandseg-1", 1),
        ("translandseg-2", 0),
    ]
    assert len({run.key for run in runs}) == 20


def test_the_factorial_shares_ten_runs_with_table4(context: Context) -> None:
    table4 = {run.key for run in sweep_runs(Catalogue(), "table4", context, (0,))}
    factorial = {run.key for run in sweep_runs(Catalogue(), "factorial", context, (0,))}
    assert table4 < factorial
    assert len(factorial) == 20


def test_an_unknown_row_is_refused(context: Context) -> None:
    with pytest.raises(BadInput, match="sweep table4 has no row translandseg-77; its rows are"):
        sweep_runs(Catalogue(), "table4", context, (0,), ["translandseg-77"])


def test_a_variant_of_another_backbone_is_refused(context: Context, tmp_path: Path) -> None:
    sweeps = tmp_path / "sweeps"
    sweeps.mkdir()
    (tmp_path / "big.yaml").write_text("extends: translandseg\nbackbone: vit_b\n")
    (sweeps / "mine.yaml").write_text(
        "title: T\nprotocol: demo\nseeds: [0]\nvariants: [translandseg, big]\n"
    )
    catalogue = Catalogue([tmp_path, shipped("variants")], [sweeps])
    with pytest.raises(BadInput, match="variant big wants backbone vit_b"):
        sweep_runs(catalogue, "mine", context, (0,))


def test_diverged_runs_are_left_alone_and_failed_ones_tried_again(
    context: Context, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    runs = planned(context, store)
    for run, kind in ((runs[0], "diverged"), (runs[1], "error")):
        run.folder.path.mkdir(parents=True)
        run.folder.write_failure(Failure(kind=kind, message="m", detail="", time=0.0))
    states = {run.spec.name: (run.state, run.to_train) for run in planned(context, store)}
    assert states["translandseg-1"] == (State.DIVERGED, False)
    assert states["translandseg-2"] == (State.FAILED, True)
    assert states["translandseg"] == (State.NEW, True)


def test_a_plan_that_is_begun_has_folders_and_a_record(context: Context, tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = sweep_runs(Catalogue(), "table4", context, (0, 1))
    plan = make(Catalogue().sweep("table4"), context, runs, store)
    record = begin(plan, store)
    assert store.sweep_records() == [record]
    assert record.runs == tuple(run.key for run in runs)
    assert [store.run(key).spec() for key in record.runs] == runs


@pytest.mark.parametrize(
    ("seeds", "workers", "sizes"),
    [
        ((0,), 1, [10]),
        ((0,), 2, [5, 5]),
        ((0,), 3, [4, 3, 3]),
        ((0,), 99, [1] * 10),
        ((0, 1, 2), 1, [10, 10, 10]),
        ((0, 1), 2, [10, 10]),
        ((0, 1), 4, [5, 5, 5, 5]),
        # Of three whole seeds one worker would get two, and the other would wait.
        ((0, 1, 2), 2, [5, 5, 5, 5, 5, 5]),
        ((0, 1, 2), 8, [2] * 15),
    ],
)
def test_cohorts_share_a_seed_and_leave_no_worker_idle(
    context: Context, tmp_path: Path, seeds: tuple[int, ...], workers: int, sizes: list[int]
) -> None:
    runs = planned(context, Store(tmp_path), seeds)
    groups = cohorts(runs, workers)
    assert [len(group.folders) for group in groups] == sizes
    seed_of = {run.folder.path: run.spec.seed for run in runs}
    assert all(len({seed_of[path] for path in group.folders}) == 1 for group in groups)
    assert sorted(path for group in groups for path in group.folders) == sorted(seed_of)


def test_what_is_left_of_a_sweep_is_shared_evenly(context: Context, tmp_path: Path) -> None:
    runs = planned(context, Store(tmp_path), (0, 1))
    left = [run for run in runs if run.spec.seed == 1] + runs[:1]
    assert [len(group.folders) for group in cohorts(left, 2)] == [5, 5, 1]


def test_nothing_to_train_is_no_cohort() -> None:
    assert cohorts([], 2) == []


def test_weights_of_nano_need_no_file(tmp_path: Path) -> None:
    assert identify_weights("vit_nano", None) == NANO_WEIGHTS
    with pytest.raises(WeightsError, match="takes no checkpoint"):
        identify_weights("vit_nano", tmp_path)


def test_weights_of_ones_own_are_known_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(b"abc")
    identity = identify_weights("vit_l", tmp_path / "mine.pth")
    assert identity.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert identity.label == "SAM ViT-L from mine.pth"
    with pytest.raises(WeightsError, match="there is no checkpoint"):
        identify_weights("vit_l", tmp_path / "b.pth")
    with pytest.raises(WeightsError, match="download sam_vit_l_0b3195"):
        identify_weights("vit_l", None)


@pytest.mark.parametrize("name", ["sam_vit_l_0b3195.pth", "sam_vit_b_01ec64.pth"])
def test_a_file_under_an_official_name_must_be_the_official_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>not found</html>")
    with pytest.raises(WeightsError, match="is not the official file of that name"):
        identify_weights("vit_l", tmp_path / name)


def test_the_official_file_of_another_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "renamed.pth"
    path.write_bytes(b"abc")
    sha256 = identify_weights("vit_l", path).sha256
    altered = dataclasses.replace(BACKBONES["vit_b"], checkpoint_sha256=sha256)
    monkeypatch.setitem(BACKBONES, "vit_b", altered)
    with pytest.raises(WeightsError, match="is SAM ViT-B, but the protocol's backbone is vit_l"):
        identify_weights("vit_l", path)
    assert identify_weights("vit_b", path).label == "SAM ViT-B"


def test_a_large_file_is_hashed_once(tmp_path: Path) -> None:
    path, cache = tmp_path / "mine.pth", tmp_path / "digests.json"
    path.write_bytes(b"abc")
    os.utime(path, ns=(10**18, 10**18))
    first = identify_weights("vit_l", path, cache)
    cache.write_text(cache.read_text().replace(first.sha256, "f" * 64))
    assert identify_weights("vit_l", path, cache).sha256 == "f" * 64
    os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    assert identify_weights("vit_l", path, cache) == first


# Rivals ---------------------------------------------------------------------------------


def rivals() -> list[Variant]:
    return [Catalogue().variant(name) for name in ("pspnet", "ccnet", "translandseg")]


def test_rivals_without_files_start_from_random_values() -> None:
    expected = {name: random_resnet(name) for name in ("resnet50", "resnet101")}
    assert identify_resnets(rivals(), []) == expected
    assert identify_resnets([Catalogue().variant("translandseg")], []) == {}


def test_torchvisions_files_are_known_by_the_digits_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "resnet50-0676ba61.pth"
    path.write_bytes(b"not it")
    with pytest.raises(WeightsError, match="is not the file that its name says"):
        identify_resnets(rivals(), [path])
    monkeypatch.setattr("ablate.plan.inputs.FileDigests.of", lambda *_: "0676ba61" + "0" * 56)
    identity = identify_resnets(rivals(), [path])["resnet50"]
    assert identity.label == "ResNet-50"
    assert identity.is_official("resnet50")
    assert not identity.is_official("resnet101")


def test_own_resnet_weights_are_labelled_so(tmp_path: Path) -> None:
    path = tmp_path / "resnet101-mine.pth"
    path.write_bytes(b"mine")
    identity = identify_resnets(rivals(), [path])["resnet101"]
    assert identity.label == "ResNet-101 from resnet101-mine.pth"
    assert not identity.is_official("resnet101")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["weights.pth"], "weights.pth does not say which ResNet it is of"),
        (["resnet50-a.pth", "resnet50-b.pth"], "resnet50-b.pth are both of resnet50"),
        (["resnet152-a.pth"], "no row of this sweep is built on resnet152"),
        (["resnet50-missing.pth"], "there is no file .*resnet50-missing.pth"),
    ],
)
def test_files_that_cannot_be_meant_are_refused(
    tmp_path: Path, names: list[str], problem: str
) -> None:
    paths = [tmp_path / name for name in names]
    for path in paths:
        if "missing" not in path.name:
            path.touch()
    with pytest.raises(WeightsError, match=problem):
        identify_resnets(rivals(), paths)


def test_what_is_only_evaluated_gets_one_seed(context: Context) -> None:
    resnets = {name: random_resnet(name) for name in ("resnet50", "resnet101", "resnet152")}
    beside = context.model_copy(update={"resnets": resnets})
    runs = sweep_runs(Catalogue(), "table1", beside, (2, 1))
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.name, []).append(run.seed)
    assert seeds["ccnet"] == seeds["translandseg"] == [2, 1]
    assert seeds["sam-points"] == seeds["sam-everything"] == [1]
