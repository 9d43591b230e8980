"""Processes import nothing from the working folder, nor the script that was started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.executors import isolated_children

# Not guarded by ``if __name__ == "__main__"``: a process that ran it again would fail.
SCRIPT = """
import multiprocessing, sys
from pathlib import Path
from ablate.executors import call_with_torch, isolated_children, run_cohorts
from ablate.plan import Cohort

Path("started").open("a").write("once ")
path = call_with_torch("executors.works:search_path")
assert "" not in path and str(Path.cwd()) not in path, path
cohorts = [Cohort((Path("run"),))]
for name in ("inline", "local"):
    work = "executors.works:touch_folders"
    run_cohorts(name, cohorts, devices=["cpu"], logs=Path("logs"), work=work)
with isolated_children():
    context = multiprocessing.get_context("spawn")
    event = context.Event()
    process = context.Process(target=event.set)
    process.start()
process.join()
assert event.is_set()
"""
TRAPS = ("random", "signal", "queue", "torch", "numpy", "ablate")


def test_modules_of_the_working_folder_are_not_imported(tmp_path: Path) -> None:
    scripts, here = tmp_path / "scripts", tmp_path / "here"
    scripts.mkdir()
    here.mkdir()
    (scripts / "script.py").write_text(SCRIPT)
    for name in TRAPS:
        (here / f"{name}.py").write_text("open('executed', 'a').write(__name__)\nraise OSError\n")
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, str(scripts / "script.py")],
        cwd=here,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tests.parent), str(tests)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (here / "executed").exists()
    assert (here / "started").read_text() == "once "
    assert (here / "run").exists()


def test_this_process_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/elsewhere"])
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    before = (dict(os.environ), sys.path, sys.modules["__main__"])
    with isolated_children(EXTRA="1"):
        assert sys.path == ["/elsewhere"]
        assert (os.environ["PYTHONSAFEPATH"], os.environ["EXTRA"]) == ("1", "1")
        assert not hasattr(sys.modules["__main__"], "__file__")
    assert (dict(os.environ), sys.path, sys.modules["__main__"]) == before


def test_the_working_folder_stays_where_pythonpath_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path)])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with isolated_children():
        assert sys.path == [str(tmp_path)]


def test_ablate_itself_may_be_imported_from_the_working_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", ["", str(root)])
    monkeypatch.setenv("PYTHONPATH", "")
    with isolated_children():
        assert sys.path == [str(root)]
