"""A real cluster of Ray on this machine: nodes with one processor each, on loopback only.

As a program it starts the nodes, says where they are, and ends with its input.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

has_ray = find_spec("ray") is not None


class Cluster:
    """A cluster that runs.

    Attributes:
        address: Where its first node listens.
        nodes: The processes of its nodes.
        environment: What its drivers need.
    """

    def __init__(self, address: str, nodes: list[int], environment: dict[str, str]) -> None:
        self.address = address
        self.nodes = nodes
        self.environment = environment

    def kill_node(self, position: int) -> None:
        """Ends a node and all that runs there, as a power cut does."""
        kill(self.nodes[position], *descendants(self.nodes[position]))

    def actors(self, node: int | None = None) -> list[int]:
        """The processes of Ray that have an actor of ablate, on one node or all."""
        nodes = self.nodes if node is None else [self.nodes[node]]
        found = [pid for pid in nodes for pid in descendants(pid)]
        return [pid for pid in found if _title(pid).startswith("ray::Node")]


@contextmanager
def cluster(nodes: int = 2) -> Iterator[Cluster]:
    """Starts a cluster, and ends it."""
    # Sockets have to lie on short paths.
    folder = tempfile.mkdtemp(prefix="ablate-test-ray-", dir="/tmp")
    (Path(folder) / "ray").mkdir()
    drivers = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        # Else Ray takes 127.0.0.1 for the machine's address in its network.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    own = {
        "RAY_TMPDIR": folder,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_memory_monitor_refresh_ms": "0",
        # A node that is lost is noticed after seconds.
        "RAY_health_check_initial_delay_ms": "500",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
    }
    program = subprocess.Popen(
        [sys.executable, __file__, folder, str(nodes)],
        env=os.environ | drivers | own,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert program.stdout is not None
        started = json.loads(program.stdout.readline())
        yield Cluster(started["address"], started["nodes"], drivers)
    finally:
        program.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    children: set[str] = set()
    with suppress(OSError):
        # Any thread may have started them.
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            children |= set(path.read_text().split())
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def kill(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _title(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    return ""


def _serve(folder: str, nodes: int) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster as RayCluster

    of_each = {
        "node_ip_address": "127.0.0.1",
        "object_store_memory": 80_000_000,
        "include_dashboard": False,
        "include_log_monitor": False,
    }
    started = RayCluster()
    found = [started.add_node(temp_dir=folder, no_monitor=True, **of_each)]
    found += [started.add_node(**of_each) for _ in range(nodes - 1)]
    pids = [node.all_processes["raylet"][0].process.pid for node in found]
    json.dump({"address": started.address, "nodes": pids}, answers)
    answers.write("\n")
    answers.flush()
    sys.stdin.read()
    started.shutdown()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
