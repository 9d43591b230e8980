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


def test_curves_of_a_sweep_that_was_never_tuned_are_refused(
    started_store: Path, tmp_path: Path
) -> None:
    words = ("report", "--grid", "table4", "--store", str(started_store), "--best-of-k")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name, message in (
        ("curves.svg", "the sweep table4 was never tuned; tune it with `ablate tune"),
        ("curves.pdf", "neither PNG nor SVG"),
    ):
        done = ablate(folder, *words, name)
        assert done.returncode == 2
        assert message in done.stderr
        assert list(folder.iterdir()) == []
