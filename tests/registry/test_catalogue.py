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
    assert (altered.name, altered.overrides) == ("paper", ("epochs=3", "optimizer.lr=1e-3"))
    assert altered.label == "paper with epochs=3, optimizer.lr=1e-3"
    assert (altered.epochs, altered.optimizer.lr) == (3, 1e-3)
    assert altered.optimizer.weight_decay == paper.optimizer.weight_decay


def test_an_override_is_in_the_label_and_not_in_the_name() -> None:
    altered = Catalogue().protocol("demo", ["epochs=3"])
    assert (altered.name, altered.label) == ("demo", "demo with epochs=3")


@pytest.mark.parametrize(
    ("name", "rounding", "sizes"),
    [("paper", "floor", (539, 231)), ("released", "floor-plus-one", (538, 232))],
)
def test_the_two_protocols_of_the_paper_split_bijie(
    name: str, rounding: str, sizes: tuple[int, int]
) -> None:
    protocol = Catalogue().protocol(name)
    assert protocol.published_split is not None
    assert protocol.split.rounding == rounding
    assert (protocol.published_split.train, protocol.published_split.validation) == sizes


def test_a_users_file_that_hides_a_shipped_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("variants", "sweeps/protocols"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "variants/unet.yaml").write_text("extends: pspnet\n")
    (tmp_path / "variants/mine.yaml").write_text("extends: pspnet\n")
    (tmp_path / "sweeps/protocols/demo.yaml").write_text("extends: paper\n")
    monkeypatch.chdir(tmp_path)
    assert Catalogue().hidden() == {
        "variant unet": shipped("variants") / "unet.yaml",
        "protocol demo": shipped("sweeps") / "protocols/demo.yaml",
    }


def test_nothing_is_hidden_where_the_working_folder_is_the_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(shipped("variants").parent)
    assert Catalogue().hidden() == {}


def test_a_sweep_is_taken_by_name_or_as_a_value() -> None:
    catalogue = Catalogue()
    by_name = catalogue.rows("table4", "vit_l")
    assert catalogue.rows(catalogue.sweep("table4"), "vit_l") == by_name
    assert Catalogue().rows(catalogue.sweep("table4"), "vit_l") == by_name
