"""``python -m ablate.executors.ray_bridge``: the one process of ablate that is a driver of Ray.

Ray's library prints, sets signal handlers and environment variables, and ends its process when the
cluster is lost. Here it can: requests and answers are lines of JSON on the standard streams, and
the process ends with its input.

Each cohort is a detached actor with a name, since tasks end with their driver. Its name says its
runs to a later start.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError

from ablate.executors.ray_actor import Node
from ablate.executors.socket_folder import short_folder

NAMESPACE = "ablate"
PREFIX = "ablate-ray-"
# Nothing that is large goes through Ray's store of objects; this is its least size.
_OBJECT_STORE_BYTES = 80 * 2**20
# How long a private cluster's jobs have to save their state when ablate is gone.
_PATIENCE_S = 60.0
_POLL_S = 0.1
# Ray's sockets lie some 65 bytes below it, and may have 107.
_LONGEST_BYTES = 40
_MOST_CHARACTERS = 400
# Demands of actors, by the names that nodes have for them.
_NAMES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}


@dataclass
class _Job:
    """An actor.

    Attributes:
        handle: Ray's.
        demands: What it needs of a node, by Ray's names; None: another process has submitted it.
        state: ``pending``, ``running``, ``exited`` or ``dead``.
        reason: Why it has died, or how its process has ended.
        is_refused: Whether its node could not start it.
    """

    handle: Any
    demands: Mapping[str, float] | None = None
    state: str = "pending"
    reason: str = ""
    is_refused: bool = False
    answer: Any = None

    def __post_init__(self) -> None:
        """Asks it how far it is, and asks again when it has answered: ``Node.look``."""
        if self.handle is not None:
            self.answer = self.handle.look.remote()

    @property
    def has_ended(self) -> bool:
        """Whether it is not looked at any more."""
        return self.state in ("exited", "dead")

    def look(self) -> None:
        """Takes the answer if there is one, and asks again."""
        if self.has_ended or not ray.wait([self.answer], timeout=0)[0]:
            return
        try:
            code = ray.get(self.answer)
        except ActorUnavailableError:
            self.answer = self.handle.look.remote()
        except RayActorError as error:
            self.state, self.reason = "dead", _one_line(error)
            self.is_refused = error.actor_init_failed
        else:
            self.state = "running" if code is None else "exited"
            self.reason = "" if code is None else str(code)
            if code is None:
                self.answer = self.handle.look.remote()


_GONE = _Job(None, state="dead", reason="it is not there any more")


class Bridge:
    """What is asked of Ray."""

    def __init__(self) -> None:
        """Has no job yet."""
        self._jobs: dict[str, _Job] = {}

    def submit(self, job: str, name: str, demands: dict[str, Any], log: str, words: Any) -> None:
        """Makes an actor, unless it is there; Ray starts it when a node has room for it."""
        if self.attach(job, name):
            return
        handle: Any = (
            ray.remote(Node)
            .options(name=name, lifetime="detached", max_restarts=0, **demands)
            .remote(log, words)
        )
        self._jobs[job] = _Job(handle, _by_ray(demands))

    def attach(self, job: str, name: str) -> bool:
        """Takes an actor that is there already; False: it is not."""
        if job in self._jobs:
            return True
        try:
            handle = ray.get_actor(name)
        except ValueError:
            return False
        self._jobs[job] = _Job(handle)
        return True

    def names(self) -> list[str]:
        """The names of all actors of ablate in the cluster."""
        return [str(name) for name in ray.util.list_named_actors()]

    def look(self, jobs: list[str], wait_s: float = 0.0) -> dict[str, Any]:
        """How far these actors are.

        Args:
            jobs: Which.
            wait_s: How long to wait for those that were asked just now.
        """
        known = {job: self._jobs.get(job, _GONE) for job in jobs}
        if wait_s and known:
            answers = [job.answer for job in known.values() if not job.has_ended]
            ray.wait(answers, num_returns=len(answers), timeout=wait_s)
        for job in known.values():
            job.look()
        pending = [job for job in known.values() if job.state == "pending" and job.demands]
        nodes = self.nodes() if pending else []
        return {
            name: {
                "state": job.state,
                "reason": job.reason,
                "is_refused": job.is_refused,
                "has_place": job not in pending or _has_place(job.demands or {}, nodes),
            }
            for name, job in known.items()
        }

    def stop(self, job: str) -> bool:
        """Requests a stop, or ends an actor that has not begun; whether that is so."""
        found = self._jobs.get(job, _GONE)
        found.look()
        if found.state == "pending":
            ray.kill(found.handle)
            return True
        if not found.has_ended:
            found.handle.stop.remote()
        return False

    def release(self, job: str) -> None:
        """Ends an actor whose work has ended."""
        found = self._jobs.pop(job, _GONE)
        if found.handle is not None:
            ray.kill(found.handle)

    def has_place(self, demands: dict[str, Any]) -> bool:
        """Whether a node has that much, be it free or not."""
        return _has_place(_by_ray(demands), self.nodes())

    def nodes(self) -> list[dict[str, float]]:
        """What each living node has."""
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        return [node["Resources"] for node in nodes if node["Alive"]]

    def stop_all(self) -> None:
        """Stops all work, and waits until its state is saved."""
        for name in self._jobs:
            self.stop(name)
        deadline = time.monotonic() + _PATIENCE_S
        while any(not job.has_ended for job in self._jobs.values()):
            if time.monotonic() > deadline:
                return
            time.sleep(_POLL_S)
            for job in self._jobs.values():
                job.look()


def main(address: str | None) -> None:
    """Serves until its input ends.

    Args:
        address: Of a cluster; None: one of its own, which ends with this process.
    """
    answers = os.fdopen(os.dup(1), "w")
    # Whatever else is printed goes where errors go.
    os.dup2(2, 1)

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    with suppress(BrokenPipeError), ExitStack() as ending:
        folder = None
        if address is None:
            folder = ending.enter_context(short_folder(PREFIX, _LONGEST_BYTES))
        try:
            _connect(address, folder)
        except Exception as error:
            answer(error=_one_line(error))
            return
        ending.callback(ray.shutdown)
        bridge = Bridge()
        if address is None:
            ending.callback(bridge.stop_all)
        answer(value=folder)
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer(value=getattr(bridge, request.pop("do"))(**request))
            except Exception as error:
                answer(error=_one_line(error))


def _connect(address: str | None, folder: str | None) -> None:
    """Connects to a cluster, or starts one in a folder of its own."""
    own: dict[str, Any] = {}
    if address is None:
        own = {
            "_temp_dir": folder,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
    ray.init(
        address=address or "local",
        namespace=NAMESPACE,
        log_to_driver=False,
        configure_logging=False,
        **own,
    )


def _by_ray(demands: Mapping[str, Any]) -> dict[str, float]:
    """What an actor needs, by the names that nodes have for it."""
    named = {_NAMES[key]: value for key, value in demands.items() if key in _NAMES}
    return {key: value for key, value in (named | demands["resources"]).items() if value}


def _has_place(demands: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> bool:
    return any(
        all(node.get(name, 0.0) >= value for name, value in demands.items()) for node in nodes
    )


def _one_line(error: Exception) -> str:
    """What went wrong, without the traces of Ray's own functions."""
    text = str(error).strip()
    if isinstance(error, RayActorError) and error.actor_init_failed:
        # The last line is what the actor has raised.
        text = text.splitlines()[-1] if text else ""
    return " ".join(text.split())[:_MOST_CHARACTERS] or type(error).__name__


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
