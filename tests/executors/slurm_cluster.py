"""A SLURM of two nodes on this machine: munged, slurmctld and two slurmd, without systemd."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
_PATIENCE_S = 60.0
# Jobs of `high` take the place of those of `low`, which go back into the queue.
_CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
KillWait=5
SlurmdTimeout=10
MinJobAge=60
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs=1
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 MaxTime=60 GraceTime=20
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=60
"""


def missing() -> list[str]:
    """What a cluster lacks on this machine."""
    names = [name for name in PROGRAMS if shutil.which(name) is None]
    return names if os.geteuid() == 0 else ["root", *names]


class Cluster:
    """A cluster that runs.

    Attributes:
        configuration: Its ``slurm.conf``.
        nodes: The processes of its nodes, by name.
    """

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._controller: subprocess.Popen[bytes] | None = None

    def call(self, *words: str) -> str:
        """What one of its commands prints."""
        environment = os.environ | {"SLURM_CONF": str(self.configuration)}
        return subprocess.run(
            words, env=environment, check=True, capture_output=True, text=True
        ).stdout

    def start_node(self, name: str) -> None:
        words = ["slurmd", "-D", "-f", str(self.configuration), "-N", name]
        self.nodes[name] = subprocess.Popen(words, **_quiet())

    def kill_node(self, name: str) -> None:
        """Kills a node's daemon and all that runs under it, and lets the controller know."""
        # First who would tell the controller how the others have ended.
        steps = self._steps(name)
        for pid in [self.nodes[name].pid, *map(_parent, steps), *steps]:
            if pid > 1:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.nodes[name].wait()
        self.call("scontrol", "update", f"nodename={name}", "state=down", "reason=killed")

    def revive_node(self, name: str) -> None:
        """Starts a node that was killed; with the daemon the controller takes it back."""
        self.start_node(name)
        with suppress(subprocess.CalledProcessError):
            self.call("scontrol", "update", f"nodename={name}", "state=resume")
        _until(lambda: _states(self) <= {"idle", "mixed", "allocated"})

    def _steps(self, name: str) -> list[int]:
        """What SLURM has started on a node: it outlives the daemon."""
        marks = {f"SLURM_CONF={self.configuration}".encode(), f"SLURMD_NODENAME={name}".encode()}
        found: list[int] = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if marks <= set((path / "environ").read_bytes().split(b"\0")):
                    found.append(int(path.name))
        return found

    def start_controller(self) -> None:
        """Starts the controller; it remembers what an earlier one had."""
        words = ["slurmctld", "-D", "-f", self.configuration]
        self._controller = subprocess.Popen(words, **_quiet())

    def end_controller(self) -> None:
        """Ends the controller; jobs go on."""
        if self._controller is not None:
            _end(self._controller)

    def cancel_all(self) -> None:
        """Ends what is in the queue."""
        self.call("scancel", "--me")
        _until(lambda: not self.call("squeue", "--noheader").strip())


@contextmanager
def cluster(root: Path) -> Iterator[Cluster]:
    """Starts a cluster, and ends it."""
    key = root / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    root.chmod(0o755)
    (root / "state").mkdir()
    host = socket.gethostname().partition(".")[0]
    configuration = root / "slurm.conf"
    configuration.write_text(_CONFIGURATION.format(host=host, root=root, ports=_free_ports()))
    found = Cluster(configuration)
    munge_socket = root / "munge.socket"
    files = ["--key-file", key, "--socket", munge_socket, "--seed-file", root / "munge.seed"]
    logs = ["--pid-file", root / "munged.pid", "--log-file", root / "munged.log"]
    with ExitStack() as ending:
        munged = subprocess.Popen(["munged", "--foreground", "--force", *files, *logs], **_quiet())
        ending.callback(_end, munged)
        _until(munge_socket.exists)
        found.start_controller()
        ending.callback(found.end_controller)
        for name in ("n1", "n2"):
            (root / f"spool-{name}").mkdir()
            found.start_node(name)
        ending.callback(lambda: [_end(node) for node in found.nodes.values()])
        _until(lambda: _states(found) == {"idle"})
        yield found
        found.cancel_all()


def _states(found: Cluster) -> set[str]:
    try:
        return set(found.call("sinfo", "--noheader", "--Node", "--format=%T").split())
    except subprocess.CalledProcessError:
        return set()


def _parent(pid: int) -> int:
    """SLURM's process that has started another one; 0: some other has."""
    with suppress(OSError, ValueError):
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        words = Path(f"/proc/{parent}/cmdline").read_bytes()
        return parent if words.startswith(b"slurmstepd") else 0
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(_PATIENCE_S)


def _quiet() -> dict[str, int]:
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _free_ports() -> list[int]:
    """Three free ports, the last two beside each other."""
    for first in range(26_000, 32_000, 7):
        ports = [first, first + 1, first + 2]
        with ExitStack() as sockets:
            try:
                for port in ports:
                    sockets.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
        return ports
    raise RuntimeError("no free ports")


def _until(condition) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)
