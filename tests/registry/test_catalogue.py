"""The shipped catalogue, and how files become specs."""

from pathlib import Path

import pytest

from ablate.registry import Catalogue, shipped
from ablate.spec import AtlAdapter
from structures import STRUCTURES

TEN = [f"translandseg-{number}" for number in range(1, 10)] + ["translandseg"]


def test_the_shipped_catalogue_has_no_problem() -> None:
    catalogue = Catalogue([shipped("variants")], [shipped("sweeps")])
    assert catalogue.check() == []
    assert set(TEN) <= set(catalogue.variant_files)


@pytest.mark.parametrize("name", TEN)
def test_the_ten_files_say_what_the_paper_says(name: str) -> None:
    declared = Catalogue().variant(name)
    assert declared.identity("vit_l") == STRUCTURES[name].identity("vit_l")


def test_table4_has_the_papers_rows_in_the_papers_order() -> None:
    assert list(Catalogue().rows("table4", "vit_l")) == TEN


def test_the_factorial_recognises_the_papers_ten() -> None:
    rows = Catalogue().rows("factorial", "vit_l")
    assert len(rows) == 20
    assert set(TEN) <= set(rows)
    structures = {
        (row.adapter.midlays, row.adapter.placement, row.adapter.residual) for row in rows.values()
    }
    assert len(structures) == 20


def test_zip_walks_in_step_and_exclude_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "title: T\nprotocol: demo\nseeds: [0]\nbase: translandseg\n"
        "factors: {adapter.placement: [outside, inside]}\n"
        "zip: {adapter.width: [4, 8], adapter.midlays: [[m], [c]]}\n"
        "exclude: [{adapter.placement: inside, adapter.width: 8}]\n"
    )
    rows = Catalogue(sweeps=[tmp_path, shipped("sweeps")]).rows("mine", "vit_l")
    assert list(rows) == [
        "placement=outside,width=4,midlays=m",
        "placement=outside,width=8,midlays=c",
        "placement=inside,width=4,midlays=m",
    ]
    last = rows["placement=inside,width=4,midlays=m"].adapter
    assert isinstance(last, AtlAdapter)
    assert (last.placement, last.width, last.midlays) == ("inside", 4, ("m",))


def test_the_users_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "translandseg-4.yaml").write_text(
        "extends: translandseg\nadapter: {width: 64}\n"
    )
    monkeypatch.chdir(tmp_path)
    catalogue = Catalogue()
    assert catalogue.variant("translandseg-4").adapter.width == 64
    assert catalogue.variant("translandseg-8").adapter.placement == "inside"


def test_labels_are_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: translandseg\nadapter: {width: 4}\n")
    assert Catalogue([tmp_path, shipped("variants")]).variant("mine").label is None


def test_numbers_in_scientific_notation_are_numbers() -> None:
    assert Catalogue().protocol("paper").optimizer.lr == 2e-4


def test_an_overridden_protocol_is_no_longer_the_papers() -> None:
    paper = Catalogue().protocol("paper")
    altered = Catalogue().protocol("paper", ["epochs=3", "optimizer.lr=1e-3"])
    assert paper.published_split is not None
    assert altered.published_split is None
    assert altered.name == "paper with epochs=3, optimizer.lr=1e-3"
    assert (altered.epochs, altered.optimizer.lr) == (3, 1e-3)
    assert altered.optimizer.weight_decay == paper.optimizer.weight_decay
