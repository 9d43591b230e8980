"""The SLURM executor on a real SLURM of two nodes."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from executors.conformance import ProcessConformance
from executors.slurm_cluster import Cluster, cluster, missing

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())}"),
]

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("slurm")) as found:
        yield found


@pytest.fixture(autouse=True)
def _in_use(running: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SLURM_CONF", str(running.configuration))
    # The node has to find the tests' work.
    paths = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    yield
    running.cancel_all()


class TestSlurm(ProcessConformance):
    path = "ablate.executors.slurm:SlurmExecutor"
    settings: ClassVar = {"poll_s": 0.2}
    workers = 2
