"""``ablate report --figures``, from the command line."""

from pathlib import Path

from cli.command import ablate


def test_what_is_left_out_is_said(started_store: Path, tmp_path: Path) -> None:
    words = ("report", "--grid", "table4", "--store", str(started_store), "--figures", "figures")
    done = ablate(tmp_path, *words)
    assert done.returncode == 0
    assert "no figure panels: no run has a panel yet" in done.stderr
    assert "no figure best-of-k: the sweep was never tuned" in done.stderr
    assert not (tmp_path / "figures").exists()


def test_figures_of_an_earlier_report_are_removed(started_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    for name in ("panels.png", "panels-2.png", "effects.svg", "panels-mine.png", "notes.txt"):
        (folder / name).write_text("of an earlier report")
    words = ("report", "--grid", "table4", "--store", str(started_store), "--figures", "figures")
    assert ablate(tmp_path, *words).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "panels-mine.png"]


def test_a_file_is_no_folder_for_figures(started_store: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    words = ("report", "--grid", "table4", "--store", str(started_store), "--figures", "notes.txt")
    before = sorted(tmp_path.iterdir())
    done = ablate(tmp_path, *words)
    assert done.returncode == 2
    assert "notes.txt is a file; give the name of a folder" in done.stderr
    assert sorted(tmp_path.iterdir()) == before
