"""Which weights a sweep starts from."""

import dataclasses
import os
from pathlib import Path

import pytest

from ablate.errors import WeightsError
from ablate.plan import identify_resnets, identify_weights
from ablate.registry import Catalogue
from ablate.runs.remembered import recall, remember
from ablate.spec import BACKBONES, NANO_WEIGHTS, Variant, random_resnet


def test_weights_of_nano_need_no_file(tmp_path: Path) -> None:
    assert identify_weights("vit_nano", None) == NANO_WEIGHTS
    with pytest.raises(WeightsError, match=r"does not take a checkpoint.*; omit it, or choose"):
        identify_weights("vit_nano", tmp_path)


def test_the_users_own_weights_are_identified_by_their_content(tmp_path: Path) -> None:
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


def test_a_large_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.runs.digests._SETTLED_AFTER_NS", -(10**10))
    path, cache = tmp_path / "mine.pth", tmp_path / "digests.json"
    path.write_bytes(b"abc")
    os.utime(path, ns=(10**18, 10**18))
    first = identify_weights("vit_l", path, cache)
    known = recall(cache)
    known[str(path)][-1] = "f" * 64
    remember(cache, known)
    assert identify_weights("vit_l", path, cache).sha256 == "f" * 64
    os.utime(path, ns=(10**18 + 1, 10**18 + 1))
    assert identify_weights("vit_l", path, cache) == first


def variants() -> list[Variant]:
    return [Catalogue().variant(name) for name in ("pspnet", "ccnet", "translandseg")]


def test_cnn_baselines_without_files_start_from_random_values() -> None:
    expected = {name: random_resnet(name) for name in ("resnet50", "resnet101")}
    assert identify_resnets(variants(), []) == expected
    assert identify_resnets([Catalogue().variant("translandseg")], []) == {}


def test_torchvisions_files_are_recognised_by_the_digits_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "resnet50-0676ba61.pth"
    path.write_bytes(b"not it")
    with pytest.raises(WeightsError, match="is not the file that its name says"):
        identify_resnets(variants(), [path])
    monkeypatch.setattr("ablate.plan.inputs.FileDigests.of", lambda *_: "0676ba61" + "0" * 56)
    identity = identify_resnets(variants(), [path])["resnet50"]
    assert identity.label == "ResNet-50"
    assert identity.is_official("resnet50")
    assert not identity.is_official("resnet101")


def test_own_resnet_weights_are_labelled_so(tmp_path: Path) -> None:
    path = tmp_path / "resnet101-mine.pth"
    path.write_bytes(b"mine")
    identity = identify_resnets(variants(), [path])["resnet101"]
    assert identity.label == "ResNet-101 from resnet101-mine.pth"
    assert not identity.is_official("resnet101")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["weights.pth"], "weights.pth does not say which ResNet it is of"),
        (["resnet50-a.pth", "resnet50-b.pth"], "resnet50-b.pth are both of resnet50"),
        (["resnet152-a.pth"], "no row of this sweep is built on resnet152, .*; omit it"),
        (["resnet50-missing.pth"], "there is no file .*resnet50-missing.pth"),
    ],
)
def test_files_that_do_not_fit_the_sweep_are_refused(
    tmp_path: Path, names: list[str], problem: str
) -> None:
    paths = [tmp_path / name for name in names]
    for path in paths:
        if "missing" not in path.name:
            path.touch()
    with pytest.raises(WeightsError, match=problem):
        identify_resnets(variants(), paths)
