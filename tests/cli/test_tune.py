"""``ablate tune`` through the command line: to the end, again, stopped and killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from ablate.runs import Store, TuningRecord
from ablate.tune.storage import open_journal
from cli.command import TINY, ablate, environment, output, start

ROWS = ["--variant", "translandseg", "--variant", "translandseg-4"]
TUNE = ["tune", "--grid", "table4", "--protocol", "demo", "--trials", "2", *TINY, *ROWS]
UNTRACKED = [*TUNE, "--no-track"]
PATIENCE_S = 240


def record_of(folder: Path) -> TuningRecord:
    (record,) = Store(folder / "ablate-store").tunings()
    return record


def optuna_states(folder: Path) -> list[str]:
    (path,) = (folder / "ablate-store" / "tunings").glob("*.journal")
    storage = open_journal(path)
    return [
        trial.state.name
        for name in optuna.get_all_study_names(storage)
        for trial in optuna.load_study(study_name=name, storage=storage).trials
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = ablate(folder, *UNTRACKED)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder


def test_it_says_what_it_tries_and_what_it_chose(undisturbed: Path) -> None:
    text = (undisturbed / "stdout").read_text()
    lines = text.splitlines()
    assert "not comparable with the published values" in lines[0]
    assert (
        "2 trials for each of 2 rows by qmc (seed 0): one quasi-random sequence shared by all "
        "rows; on the training images alone: 10 to train, 3 to judge by miou"
    ) in lines
    assert "  optimizer.lr: 0.0001 to 0.01 (log)" in lines
    assert "translandseg-4: best so far trial" in text
    assert "training each row, as declared and with its best setting" in lines
    chosen = [line for line in lines if line.startswith("best setting of translandseg-4: ")]
    assert len(chosen) == 1
    assert "optimizer.weight_decay=" in chosen[0]
    assert "…" not in text
    assert "8 of 8 runs done, after" in text
    assert lines[-1] == "next: ablate report --grid table4 · ablate ui"


def test_again_it_trains_nothing(undisturbed: Path) -> None:
    results = sorted((undisturbed / "ablate-store" / "runs").glob("*/result.json"))
    before = [path.stat().st_mtime_ns for path in results]
    assert "nothing to train: 8 of 8 runs are done" in output(undisturbed, *UNTRACKED)
    assert [path.stat().st_mtime_ns for path in results] == before
    quiet = ablate(undisturbed, *UNTRACKED, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_status_has_a_line_for_it(undisturbed: Path) -> None:
    text = output(undisturbed, "status")
    assert (
        "tuning by qmc: 4 of 4 trials ended, 4 done; 2 of 2 rows have a best setting"
        in text.splitlines()
    )
    (sweep,) = json.loads(output(undisturbed, "status", "--format", "json"))
    assert sweep["tuning"] == {
        "sampler": "qmc",
        "budget": 2,
        "rows": 2,
        "ended": 4,
        "done": 4,
        "chosen": 2,
    }


def test_status_and_report_of_a_tuned_store_never_load_optuna(undisturbed: Path) -> None:
    program = """
import sys
sys.argv = ["ablate", *sys.argv[1:]]
try:
    from ablate.cli import main
    main()
except SystemExit as leave:
    assert leave.code in (0, None), leave.code
heavy = {"optuna", "statsmodels", "torch", "mlflow", "sqlalchemy"} & set(sys.modules)
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""
    for words in (["status"], ["report", "--grid", "table4"], ["tune", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=undisturbed,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_a_dry_run_shows_the_first_settings_and_writes_nothing(tmp_path: Path) -> None:
    text = output(tmp_path, *TUNE, "--dry-run")
    settings = [line.split(None, 2)[1:] for line in text.splitlines() if line.startswith("all ")]
    assert [number for number, _ in settings] == ["1", "2"]
    assert all("optimizer.lr=" in setting for _, setting in settings)
    assert "4 trials, then 2 rows as declared and with the best setting, 1 seed each" in text
    output(tmp_path, *TUNE, "--dry-run", "--sampler", "tpe")
    assert list(tmp_path.iterdir()) == []


def _recorded(store: Path) -> bool:
    return bool(list(store.glob("tunings/*.json")))


def _asked(store: Path) -> bool:
    return any(b"fixed_params" in path.read_bytes() for path in store.glob("tunings/*.journal"))


def _training(store: Path) -> bool:
    return bool(list(store.glob("runs/*/progress.json")))


def _one_done(store: Path) -> bool:
    return bool(list(store.glob("runs/*/result.json")))


def _chosen(store: Path) -> bool:
    return any(json.loads(path.read_text())["tuned"] for path in store.glob("tunings/*.json"))


def test_killed_again_and_again_it_ends_as_if_undisturbed(
    undisturbed: Path, tmp_path: Path
) -> None:
    moments: list[Callable[[Path], bool]] = [_recorded, _asked, _training, _one_done, _chosen]
    delays = random.Random(0)
    store = tmp_path / "ablate-store"
    for reached in moments:
        process = start(tmp_path, *UNTRACKED, "--cohort-size", "1")
        deadline = time.monotonic() + PATIENCE_S
        while not reached(store) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(delays.uniform(0, 0.3))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        assert reached(store)
    _same_as(undisturbed, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_it_leaves_no_trial_running_and_goes_on(
    undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(tmp_path, *UNTRACKED, "--cohort-size", "1")
    store, deadline = tmp_path / "ablate-store", time.monotonic() + PATIENCE_S
    while not _training(store) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    assert process.wait(60) == 75
    states = optuna_states(tmp_path)
    assert "WAITING" in states
    assert set(states) <= {"WAITING", "COMPLETE"}
    _same_as(undisturbed, tmp_path)


def _same_as(undisturbed: Path, folder: Path) -> None:
    """The same command ends with the record, the runs and the weights of the undisturbed tuning."""
    done = ablate(folder, *UNTRACKED)
    assert done.returncode == 0, done.stderr
    mine, other = record_of(folder), record_of(undisturbed)
    assert mine.model_copy(update={"updated": other.updated}) == other
    assert set(optuna_states(folder)) == {"COMPLETE"}
    assert len(optuna_states(folder)) == 4
    runs = {run.key: run for run in Store(folder / "ablate-store").runs()}
    assert runs.keys() == {run.key for run in Store(undisturbed / "ablate-store").runs()}
    for key, run in runs.items():
        assert [event.epoch for event in run.events()] == [1, 2]
        twin = undisturbed / "ablate-store" / "runs" / key / "weights.safetensors"
        assert run.weights_path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sampler", "grid"], "there is no sampler 'grid'; there are qmc, random, tpe, gp"),
        (["--sampler-seed", "-1"], "the sampler's seed -1 is out of range"),
        (["--storage", "nonsense"], "--storage cannot be used"),
        (["--set", "schedule.lr_min=1e-3"], "schedule.lr_min 0.001 is above optimizer.lr 0.0001"),
        (["--grid", "bottleneck"], "sweep bottleneck does not say what to tune"),
    ],
)
def test_bad_input_is_a_line_and_starts_nothing(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = ablate(tmp_path, *TUNE[:5], *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_opened_starts_nothing(tmp_path: Path) -> None:
    done = ablate(tmp_path, *UNTRACKED, "--storage", "sqlite:////nowhere/tuning.db")
    assert done.returncode == 2
    assert "unable to open database file; correct --storage" in done.stderr
    assert not list(tmp_path.glob("ablate-store/runs/*"))
