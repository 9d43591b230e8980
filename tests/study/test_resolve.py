"""What a request means, and what is refused before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from ablate import Study
from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.study.protocols import choose_protocol


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with sweeps and published tables of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "reports" / "published").mkdir(parents=True)
    return tmp_path


def sweep(folder: Path, text: str) -> Study:
    rows = "title: t\nprotocol: demo\nseeds: [0]\n"
    (folder / "sweeps" / "mine.yaml").write_text(rows + text)
    return Study("mine", store=folder / "store", devices=["cpu"])


def test_a_published_table_is_looked_up_before_the_training(folder: Path) -> None:
    study = sweep(folder, "variants: [translandseg]\npublished: tabel4\n")
    for step in (study.plan, study.run):
        with pytest.raises(SpecError, match="did you mean 'table4'"):
            step()
    assert not (folder / "store").exists()


def test_a_published_table_is_read_before_the_training(folder: Path) -> None:
    (folder / "reports" / "published" / "own.yaml").write_text("kind: scores\nrows: {}\n")
    study = sweep(folder, "variants: [translandseg]\npublished: own\n")
    for step in (study.plan, study.run):
        with pytest.raises(SpecError, match=r"own\.yaml"):
            step()
    assert not (folder / "store").exists()


def test_a_sweep_without_rows_is_bad_input(folder: Path) -> None:
    study = sweep(
        folder,
        "base: translandseg\nfactors: {adapter.width: [4, 8]}\n"
        "exclude: [{adapter.width: 4}, {adapter.width: 8}]\n",
    )
    for step in (study.plan, study.run):
        with pytest.raises(SpecError, match="exclude"):
            step()
    assert not (folder / "store").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "demo"),
        ({"data": "d"}, "nano"),
        ({"data": "d", "backbone_weights": ["resnet50.pth"]}, "nano"),
        ({"data": "d", "checkpoint": "c"}, None),
        ({"checkpoint": "c"}, None),
        ({"backbone_weights": ["resnet50.pth"]}, None),
        ({"data": "d", "protocol": "paper"}, None),
        ({"protocol": "demo"}, None),
    ],
    ids=str,
)
def test_what_runs_without_sams_weights(options: dict[str, Any], expected: str | None) -> None:
    catalogue = Catalogue()
    request = Study("table4", **options).request
    protocol, choice = choose_protocol(request, catalogue.sweep("table4"), catalogue)
    assert protocol.name == (expected or options.get("protocol", "paper"))
    assert (choice or "None").partition(":")[0] == str(expected)


def test_a_protocol_that_needs_no_weights_is_the_sweeps_own() -> None:
    catalogue = Catalogue()
    declared = catalogue.sweep("table4").model_copy(update={"protocol": "demo"})
    request = Study("table4", data="d").request
    protocol, choice = choose_protocol(request, declared, catalogue)
    assert (protocol.name, choice) == ("demo", None)
