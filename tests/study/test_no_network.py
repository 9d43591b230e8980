"""A sweep, its mirror and the user interface on a machine that has no network but loopback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.executors import node
from ablate.plan import create_run_folders
from ablate.runs import State, Store
from tiny_sweeps import OVERRIDES, tiny_study

# A network of its own, with nothing but loopback.
ALONE = ["unshare", "--net", "--map-root-user"]

# The user interface answers, and ends by SIGTERM.
LOOK = """
import subprocess, sys, time, urllib.request
server = subprocess.Popen([sys.executable, "-m", "ablate", "ui", "--store", sys.argv[1]])
for _ in range(600):
    try:
        print(urllib.request.urlopen("http://127.0.0.1:5000/health", timeout=2).read().decode())
        break
    except OSError:
        time.sleep(0.2)
server.terminate()
sys.exit(server.wait(60))
"""

UP = "ip link set lo up"


@pytest.fixture
def _namespaces() -> None:
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("there is no unshare or no ip")
    if subprocess.run([*ALONE, "sh", "-c", UP], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here")


@pytest.mark.slow
@pytest.mark.usefixtures("_namespaces")
def test_everything_works_without_a_network(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    listed = [word for each in OVERRIDES for word in ("--set", each)]
    python = [sys.executable, "-m", "ablate"]
    sweep = ["--grid", "table4", "--protocol", "demo", "--store", store]
    variants = ["--variant", "translandseg", "--device", "cpu"]
    look = [sys.executable, "-c", LOOK, store]
    for command, shown in (
        ([*python, "run", *sweep, *variants, *listed], "1 of 1 runs done"),
        ([*python, "sync", "--store", store], "1 runs of 1 sweep are in MLflow"),
        ([*python, "report", *sweep, "--out", str(tmp_path / "report.md")], "written to"),
        (look, "OK"),
    ):
        done = subprocess.run(
            [*ALONE, "sh", "-c", f'{UP} && exec "$@"', "sh", *command],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
        assert "behind" not in done.stderr
        assert shown in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("_namespaces")
def test_a_node_trains_without_even_loopback(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    plan = tiny_study(store.root, variants=["translandseg"]).plan().plan
    create_run_folders(plan, store)
    (run,) = plan.runs
    words = node.arguments(
        work="ablate.train:work", device="cpu", logs=store.logs_path, folders=[run.folder.path]
    )
    done = subprocess.run(
        [*ALONE, sys.executable, "-P", "-m", "ablate.executors.node", *words],
        env=os.environ | {"SLURM_JOB_ID": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert run.folder.state() is State.DONE
