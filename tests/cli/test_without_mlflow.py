"""A machine without MLflow, such as a node of a cluster: it trains and reports, and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.executors import node
from ablate.plan import create_run_folders
from ablate.runs import State, Store
from ablate.study import mirror_mark
from ablate.study.doctor import examine
from cli.command import TINY, ablate, environment
from tiny_sweeps import tiny_study

SWEEP = ("--grid", "table4", "--protocol", "demo")
ONE = (*SWEEP, "--variant", "translandseg", "--device", "cpu", *TINY)
LATER = "pip install 'ablate[ui]'"


@pytest.fixture(scope="module")
def missing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with which no process of Python can import mlflow."""
    folder = tmp_path_factory.mktemp("missing")
    code = "import sys; sys.modules['mlflow'] = None"
    (folder / "sitecustomize.py").write_text(code)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.pathsep.join(paths)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, missing: str) -> Path:
    """The working folder of a run that was trained so."""
    folder = tmp_path_factory.mktemp("trained")
    done = ablate(folder, "run", *ONE, PYTHONPATH=missing)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 runs done" in done.stdout
    assert "ablate ui" not in done.stdout
    assert [line for line in done.stderr.splitlines() if "MLflow" in line] == [
        "MLflow is not installed, so nothing is mirrored into it; "
        f"{LATER} and `ablate sync` make up for it"
    ]
    return folder


def test_the_block_holds(tmp_path: Path, missing: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import mlflow"],
        env=environment() | {"PYTHONPATH": missing},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert b"ModuleNotFoundError" in done.stderr


def test_status_and_report_need_none(trained: Path, missing: str) -> None:
    status = ablate(trained, "status", "--format", "json", PYTHONPATH=missing)
    assert [run["state"] for run in json.loads(status.stdout)[0]["runs"]] == ["done"]
    report = ablate(trained, "report", *SWEEP, "--format", "markdown", PYTHONPATH=missing)
    assert (report.returncode, report.stderr) == (0, "written to reports/table4.md\n")
    assert "TransLandSeg" in (trained / "reports" / "table4.md").read_text()


def test_a_done_sweep_says_nothing_of_it(trained: Path, missing: str) -> None:
    done = ablate(trained, "run", *ONE, PYTHONPATH=missing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["ui", "sync"])
def test_what_is_mlflows_is_refused_in_a_line(trained: Path, missing: str, command: str) -> None:
    done = ablate(trained, command, PYTHONPATH=missing)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: MLflow is not installed; {LATER}\n"


def test_an_explicit_address_is_refused_before_anything_starts(
    tmp_path: Path, missing: str
) -> None:
    words = ("--tracking-uri", "http://me:secret@127.0.0.1:9")
    done = ablate(tmp_path, "run", *ONE, *words, PYTHONPATH=missing)
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert done.stderr == (
        "error: the tracking URI http://***@127.0.0.1:9 is for MLflow, which is not installed; "
        f"{LATER}, or train with --no-track and mirror the runs later (`ablate sync`)\n"
    )


def test_doctor_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    for uri, state in ((None, "note"), ("http://127.0.0.1:9", "problem")):
        found = [
            each for each in examine(None, None, tmp_path, uri) if "mlflow" in each.what.lower()
        ]
        assert [(each.what, each.state) for each in found] == [("MLflow", state)]
        assert LATER in found[0].repair


def test_a_node_needs_none(tmp_path: Path, missing: str) -> None:
    store = Store(tmp_path / "store")
    plan = tiny_study(store.root, variants=["translandseg"]).plan().plan
    create_run_folders(plan, store)
    words = node.arguments(
        work="ablate.train:work",
        device="cpu",
        logs=store.logs_path,
        folders=[run.folder.path for run in plan.runs],
    )
    done = subprocess.run(
        [*(sys.executable, "-P", "-m", "ablate.executors.node"), *words],
        env=environment() | {"PYTHONPATH": missing, "SLURM_JOB_ID": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [run.folder.state() for run in plan.runs] == [State.DONE]


def test_once_it_is_installed_the_same_command_makes_up_for_it(trained: Path) -> None:
    store = Store(trained / "ablate-store")
    (record,) = store.sweep_records()
    assert mirror_mark.is_marked(store, [record.id], None)
