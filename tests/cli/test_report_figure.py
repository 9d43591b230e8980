"""``ablate report --figure``, from the command line."""

from pathlib import Path

from cli.command import ablate


def test_where_there_is_nothing_to_show_nothing_is_written(
    started_store: Path, tmp_path: Path
) -> None:
    words = ("report", "--grid", "table4", "--store", str(started_store), "--figure", "figure.png")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    done = ablate(folder, *words)
    assert done.returncode == 2
    assert "no run of this table has a panel yet" in done.stderr
    assert done.stdout == ""
    assert list(folder.iterdir()) == []
