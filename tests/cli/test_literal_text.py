"""What comes from users, files and errors is printed literally, in terminals of any encoding."""

import json
import shlex
from pathlib import Path

import pytest

from ablate.runs import Failure, Store
from cli.command import TINY, ablate, output

TITLE = "Effect of the [mask] decoder [/x] :smile: ×"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a sweep whose title looks like markup."""
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(
        f'title: "{TITLE}"\nprotocol: demo\nseeds: [0]\nvariants: [translandseg]\n',
        encoding="utf-8",
    )
    return tmp_path


PLAN = ["plan", "--grid", "mine", "--device", "cpu", *TINY]


def test_brackets_and_colons_are_no_markup(folder: Path) -> None:
    assert output(folder, *PLAN).splitlines()[0].rstrip() == TITLE
    store = "a[/x] b"
    words = ["run", "--grid", "mine", "--device", "cpu", "--no-track", "--store", store, *TINY]
    shown = output(folder, *words)
    assert TITLE in shown
    quoted = shlex.quote(store)
    assert shown.splitlines()[-1] == (
        f"next: ablate report --grid mine --store {quoted} · ablate ui --store {quoted}"
    )
    (run,) = Store(folder / store).runs()
    (run.path / "result.json").unlink()
    run.write_failure(Failure(kind="error", message="no [/x] :smile:", detail="", time=0.0))
    assert "no [/x] :smile:" in output(folder, "status", "--store", store)
    assert (
        f"error: no sweep was started in {store}x;"
        in ablate(folder, "status", "--store", store + "x").stderr
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk"])
def test_a_terminal_of_another_encoding_ends_no_command(folder: Path, encoding: str) -> None:
    done = ablate(folder, *PLAN, PYTHONIOENCODING=encoding, COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    shown = ablate(folder, *PLAN, "--format", "json", PYTHONIOENCODING=encoding, COLUMNS="1")
    utf8 = ablate(folder, *PLAN, "--format", "json", PYTHONIOENCODING="utf-8")
    assert (shown.returncode, shown.stdout) == (0, utf8.stdout)
    assert json.loads(shown.stdout)["sweep"] == "mine"
    listed = ablate(folder, "variants", "list", "--format", "json", PYTHONIOENCODING=encoding)
    assert "m×2 + c×3" in {row["midlays"] for row in json.loads(listed.stdout)}


@pytest.mark.parametrize("columns", ["1", "0", "-5", "wide"])
def test_a_terminal_of_any_width_ends_no_command(folder: Path, columns: str) -> None:
    done = ablate(folder, *PLAN, COLUMNS=columns)
    assert (done.returncode, done.stderr) == (0, "")
