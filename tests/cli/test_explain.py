"""``ablate report --explain`` from the command line."""

import json
from pathlib import Path

import pytest

from cli.command import ablate
from fixture_stores import FOLDERS, copy_of


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(FOLDERS[-1], tmp_path_factory.mktemp("stores")).root


def explain(folder: Path, store: Path, wanted: str, *words: str) -> tuple[int, str, str]:
    place = ("--grid", "table4", "--store", str(store))
    done = ablate(folder, "report", *place, "--explain", wanted, *words)
    return done.returncode, done.stdout, done.stderr


def test_a_number_is_explained_and_nothing_is_written(tmp_path: Path, store: Path) -> None:
    code, text, said = explain(tmp_path, store, "TransLandSeg:MIoU")
    assert (code, said) == (0, "")
    assert text.startswith("TransLandSeg (translandseg): MIoU (miou) = ")
    assert list(tmp_path.iterdir()) == []


def test_the_same_as_json(tmp_path: Path, store: Path) -> None:
    code, text, _ = explain(tmp_path, store, "translandseg:miou", "--format", "json")
    found = json.loads(text)
    assert (code, found["row"], found["metric"], found["n"]) == (0, "translandseg", "miou", 2)


def test_bad_words_are_one_line(tmp_path: Path, store: Path) -> None:
    for wanted, words, said in (
        ("translandseg", (), "is not ROW:METRIC; give it like --explain translandseg:miou"),
        (":miou", (), "is not ROW:METRIC"),
        ("nothing:miou", (), "has no row 'nothing'"),
        ("translandseg:nothing", (), "no metric is called 'nothing'"),
        ("translandseg:miou", ("--format", "latex"), "--explain has no format latex"),
    ):
        code, text, error = explain(tmp_path, store, wanted, *words)
        assert (code, text) == (2, "")
        assert said in error
        assert len(error.splitlines()) == 1
