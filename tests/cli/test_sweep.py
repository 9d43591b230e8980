"""Whole sweeps through the command line: to the end, again, stopped and killed."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from cli.command import TINY, ablate, start

SAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "Bijie-landslide-dataset"
RUN = ["run", "--grid", "table4", "--protocol", "demo", "--no-track", *TINY]
SIX = [f"translandseg-{number}" for number in range(1, 7)]
PATIENCE_S = 120


def report(folder: Path, format: str = "json") -> str:
    done = ablate(folder, "report", "--grid", "table4", "--format", format)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(folder: Path, names: list[str]) -> list[Any]:
    """Rows of the table without their difference to the baseline."""
    table: list[Any] = json.loads(report(folder))["rows"]
    return [{**row, "delta": None} for row in table if row["name"] in names]


def states(folder: Path) -> list[str]:
    done = ablate(folder, "status", "--format", "json")
    return [run["state"] for sweep in json.loads(done.stdout) for run in sweep["runs"]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = ablate(folder, *RUN)
    assert done.returncode == 0, done.stderr
    return folder


def test_ten_runs_and_a_table_without_missing_numbers(undisturbed: Path) -> None:
    assert states(undisturbed) == ["done"] * 10
    table = json.loads(report(undisturbed))["rows"]
    assert len(table) == 10
    assert all(row["missing_reason"] is None for row in table)
    # In a terminal JSON is ASCII, in a file UTF-8.
    written = (undisturbed / "reports" / "table4.json").read_text(encoding="utf-8")
    assert json.loads(written) == json.loads(report(undisturbed))
    markdown = report(undisturbed, "markdown")
    assert "not comparable with the published values" in markdown
    assert (undisturbed / "reports" / "table4.md").read_text() == markdown


def test_a_second_run_starts_nothing_and_says_so(undisturbed: Path) -> None:
    results = sorted((undisturbed / "ablate-store" / "runs").glob("*/result.json"))
    before = [path.stat().st_mtime_ns for path in results]
    done = ablate(undisturbed, *RUN)
    assert done.returncode == 0
    assert "nothing to train: all 10 runs are done" in done.stdout
    assert [path.stat().st_mtime_ns for path in results] == before


def test_quiet_says_nothing(undisturbed: Path) -> None:
    done = ablate(undisturbed, *RUN, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_or_stopped_it_ends_as_if_undisturbed(
    undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    words = [*RUN, *(word for name in SIX for word in ("--variant", name))]
    # Runs that are trained together end together. One by one, those behind the first to end leave
    # epochs of time for the signal; what is left goes on in other company.
    process = start(tmp_path, *words, "--cohort-size", "1")
    store, deadline = tmp_path / "ablate-store", time.monotonic() + PATIENCE_S
    while not list(store.glob("runs/*/result.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    while not list(store.glob("runs/*/progress.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    if number is signal.SIGTERM:
        process.send_signal(number)
    else:
        os.killpg(process.pid, number)
    code = process.wait(60)
    assert code == (-number if number is signal.SIGKILL else 75)
    assert 1 <= states(tmp_path).count("done") < len(SIX)
    again = ablate(tmp_path, *words)
    assert again.returncode == 0, again.stderr
    assert rows(tmp_path, SIX) == rows(undisturbed, SIX)
    for path in store.glob("runs/*/weights.safetensors"):
        other = undisturbed / "ablate-store" / "runs" / path.parent.name / path.name
        assert path.read_bytes() == other.read_bytes()


def test_a_diverging_sweep_ends_with_one_and_names_what_is_missing(tmp_path: Path) -> None:
    words = [*RUN, "--set", "optimizer.lr=1e30", "--variant", "translandseg"]
    done = ablate(tmp_path, *words)
    assert done.returncode == 1
    assert "diverged: translandseg seed 0: Diverged: the " in done.stderr
    missing = {row["name"]: row["missing_reason"] for row in json.loads(report(tmp_path))["rows"]}
    assert missing["translandseg"] == "diverged"
    assert missing["translandseg-1"] == "not run"
    again = ablate(tmp_path, *words)
    assert again.returncode == 1
    assert "nothing to train: 0 of 1 runs are done" in again.stdout


def test_inline_gives_what_local_gives(undisturbed: Path, tmp_path: Path) -> None:
    done = ablate(tmp_path, *RUN, "--executor", "inline", "--variant", "translandseg-4")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path, ["translandseg-4"]) == rows(undisturbed, ["translandseg-4"])


@pytest.mark.skipif(not SAMPLES.exists(), reason="the Bijie samples are not in ../shared/data")
def test_the_real_samples_are_trained_and_watermarked(tmp_path: Path) -> None:
    words = ["--protocol", "demo", "--data", str(SAMPLES), "--set", "epochs=1", "--no-track"]
    done = ablate(tmp_path, "run", "--grid", "table4", "--variant", "translandseg", *words)
    assert done.returncode == 0, done.stderr
    mark = "demo with epochs=1: Bijie, SAM-nano; not comparable with the published values"
    assert mark in done.stdout
    tree = json.loads(report(tmp_path))
    assert tree["watermark"] == mark
    assert (
        next(row for row in tree["rows"] if row["name"] == "translandseg")["missing_reason"] is None
    )
