"""``ablate report --format html`` and ``--format all``, from the command line."""

from pathlib import Path

from ablate.report import WRITERS, suffix_of
from cli.command import ablate


def test_a_page_is_written_and_not_printed(started_store: Path, tmp_path: Path) -> None:
    words = ("report", "--grid", "table4", "--store", str(started_store), "--format", "html")
    done = ablate(tmp_path, *words)
    assert (done.returncode, done.stdout) == (0, "")
    assert "written to reports/table4.html" in done.stderr
    text = (tmp_path / "reports" / "table4.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")


def test_all_formats_are_written_into_a_folder(started_store: Path, tmp_path: Path) -> None:
    words = ("report", "--grid", "table4", "--store", str(started_store), "--format", "all")
    done = ablate(tmp_path, *words, "--out", "here")
    assert (done.returncode, done.stdout) == (0, "")
    names = sorted(f"table4{suffix_of(each)}" for each in WRITERS)
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == names
    assert [f"written to here/{name}" in done.stderr for name in names] == [True] * len(names)


def test_an_unknown_format_names_all_of_them(tmp_path: Path) -> None:
    done = ablate(tmp_path, "report", "--grid", "table4", "--format", "al")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no report format is called 'al'; did you mean 'all'?" in done.stderr
    assert "use one of markdown, csv, json, latex, html, all" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_formats_into_a_file_are_refused(started_store: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    words = ("report", "--grid", "table4", "--store", str(started_store), "--format", "all")
    done = ablate(tmp_path, *words, "--out", "notes.txt")
    assert done.returncode == 2
    assert "notes.txt is a file; give the name of a folder" in done.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"
