"""What a request means, and what is refused before anything starts."""

from pathlib import Path

import pytest

from ablate import Study
from ablate.errors import SpecError


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


def test_the_demo_runs_only_where_nothing_else_is_configured() -> None:
    assert Study("table4").request.default_protocol == "demo"
    assert Study("table4", data="d").request.default_protocol == "nano"
    assert Study("table4", data="d", checkpoint="c").request.default_protocol is None
    assert Study("table4", checkpoint="c").request.default_protocol is None
    assert Study("table4", backbone_weights=["w.pth"]).request.default_protocol is None
    assert Study("table4", data="d", protocol="paper").request.default_protocol is None
    assert Study("table4", devices=["cpu"]).plan().plan.context.protocol.name == "demo"
