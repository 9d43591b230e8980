"""This side of the process that speaks with Ray (``ablate.executors.ray_bridge``)."""

import atexit
import json
import os
import queue
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from ablate.errors import BadInput
from ablate.executors.isolation import how_it_ended

_ADDRESS = re.compile(r"(?:ray://)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")
# How long a cluster may take until its port accepts a connection, and until Ray has connected.
_LISTENS_S = 5.0
_ANSWERS_S = 15.0
# How long a cluster of this machine may take to start; a busy machine needs half a minute.
_STARTS_S = 180.0
# How long Ray may be silent: it tries to reach a lost cluster for a minute.
_SILENT_S = 120.0
# A private cluster saves the state of its runs first.
_ENDS_S = 90.0
# How long a process whose output has ended may take to end.
_CLOSES_S = 5.0
_POLL_S = 0.02
# Settings of Ray's in the environment that would lead elsewhere.
_MISLEADING = ("RAY_ADDRESS", "RAY_NAMESPACE", "RAY_TMPDIR", "RAY_JOB_CONFIG_JSON_ENV_VAR")
_VERSIONS = re.compile(r"Ray: (\S+) Python: (\S+)")

_open: dict[str, "Connection"] = {}


class ConnectionLost(Exception):
    """The process that speaks with Ray has ended, or Ray is silent."""


class Connection:
    """A connection to a cluster, or a cluster of this machine that ends with it.

    Args:
        address: Of the cluster; None: one of its own.
    """

    def __init__(self, address: str | None) -> None:
        """Connects.

        Raises:
            BadInput: If there is no Ray here, the address is none, or the cluster does not let us
                in.
        """
        require(address)
        self._folder: str | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "ablate.executors.ray_bridge"),
                *([address] if address else []),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd="/",
            env=_environment(address),
            # Signals that reach this process's group are not for Ray.
            start_new_session=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._folder = self._answer(_STARTS_S if address is None else _ANSWERS_S)
        except ConnectionLost as error:
            self._kill()
            raise refused(address, str(error)) from error
        except BadInput as error:
            self.close()
            raise refused(address, error.parts[0]) from error
        except BaseException:
            self._kill()
            raise

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return not self._has_ended()

    def ask(self, do: str, **values: Any) -> Any:
        """What a method of ``ray_bridge.Bridge`` returns.

        Raises:
            BadInput: If it raises.
            ConnectionLost: If the cluster is lost.
        """
        with self._lock:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps({"do": do} | values) + "\n")
                self._process.stdin.flush()
                return self._answer(_SILENT_S)
            except BadInput:
                raise
            except (OSError, ValueError) as error:
                raise ConnectionLost(self._how_it_ended()) from error
            except BaseException:
                # Its answer would be taken for that to the next question.
                self._kill()
                raise

    def close(self) -> None:
        """Ends the process, and a cluster of its own."""
        self._close_input()
        self._end(_ENDS_S)

    def _kill(self) -> None:
        """Ends the process at once, and a cluster of its own."""
        self._end(0.0)
        self._close_input()

    def _end(self, patience_s: float) -> None:
        """Waits until the process has ended, and ends it after that time.

        Of a cluster whose driver has died, some processes live on for a minute; they are in its
        group, which is its own until its exit code is taken.
        """
        if self._process.returncode is None:
            deadline = time.monotonic() + patience_s
            while not self._has_ended() and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _has_ended(self) -> bool:
        """Whether the process has ended; its exit code is not taken."""
        if self._process.returncode is not None:
            return True
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, look) is not None

    def _close_input(self) -> None:
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _answer(self, timeout_s: float) -> Any:
        try:
            line = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise ConnectionLost(f"no answer in {timeout_s:.0f} s") from None
        if line is None:
            raise ConnectionLost(self._how_it_ended())
        values = json.loads(line)
        if "error" in values:
            raise BadInput(values["error"], "")
        return values["value"]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._answers.put(line)
        self._answers.put(None)

    def _how_it_ended(self) -> str:
        self._end(_CLOSES_S)
        return f"its driver {how_it_ended(self._process.returncode)}"


def connect(address: str) -> Connection:
    """The connection of this process to a cluster; it ends with the process.

    Raises:
        BadInput: See ``Connection``.
    """
    found = _open.get(address)
    if found is None or not found.is_open:
        found = _open[address] = Connection(address)
        atexit.register(found.close)
    return found


def disconnect(address: str) -> None:
    """Ends the connection of this process to a cluster, if it has one."""
    if (found := _open.pop(address, None)) is not None:
        atexit.unregister(found.close)
        found.close()


def require(address: str | None) -> None:
    """Refuses to go on where it is known at once that no cluster can be used.

    Args:
        address: Of a cluster; None: one of this machine's own.

    Raises:
        BadInput: If Ray is not installed, or the address refuses connections.
    """
    if find_spec("ray") is None:
        raise BadInput("--executor ray needs Ray", "pip install 'ablate[ray]'")
    if address is not None:
        _require_listener(address)


def check_address(address: str) -> str:
    """An address of a cluster, as it is.

    Raises:
        ValueError: If it is none.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ValueError(f"{address!r} is not an address; give HOST:PORT, or ray://HOST:PORT")
    return address


def _require_listener(address: str) -> None:
    """Refuses an address that refuses connections: Ray would try it for a minute.

    Raises:
        BadInput: If it does.
    """
    match = _ADDRESS.fullmatch(address)
    assert match is not None
    try:
        where = match["host"].strip("[]"), int(match["port"])
        socket.create_connection(where, _LISTENS_S).close()
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        raise refused(address, why) from error


def refused(address: str | None, why: str) -> BadInput:
    """The error of a cluster that does not let us in, or does not start.

    Args:
        address: Its address; None: it is one of this machine's own.
        why: What Ray says.
    """
    if address is None:
        return BadInput(
            f"Ray does not start on this machine: {why}", "choose another --executor, or repair it"
        )
    if (found := _VERSIONS.findall(why)) and "Version mismatch" in why and len(found) > 1:
        (ray, python), (our_ray, our_python) = found[:2]
        return BadInput(
            f"the Ray cluster at {address} has Ray {ray} and Python {python}, here are "
            f"Ray {our_ray} and Python {our_python}",
            "use the same versions in both places",
        )
    return BadInput(
        f"the Ray cluster at {address} does not answer: {why}",
        "give the address that `ray start --head` has printed, and see that its token is here too "
        "(`ray get-auth-token`)",
    )


def _environment(address: str | None) -> dict[str, str]:
    """The environment of the process; a cluster of its own has it, too."""
    if address is not None:
        return {name: value for name, value in os.environ.items() if name not in _MISLEADING}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return inherited | {
        "PYTHONSAFEPATH": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Everything listens on 127.0.0.1 alone, as Ray has it where there are no clusters.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # It would end jobs for what other processes of this machine take.
        "RAY_memory_monitor_refresh_ms": "0",
    }
