"""Trains on a cluster of Ray, or in one of this machine's own: an actor for each cohort."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from ablate.errors import BadInput, ExitCode
from ablate.executors import ray_connection as ray
from ablate.executors.base import Choose, Job, JobState, LeftJob, fail_first_unfinished
from ablate.executors.comments import Comment, comment_of, parse_comment
from ablate.executors.ends import end_path, read_end
from ablate.executors.node import arguments
from ablate.executors.ray_settings import Settings, no_place
from ablate.plan import Cohort
from ablate.runs import RunFolder, State
from ablate.spec import Frozen

_ENGINE = "ray"
_LAST_LINES = 20
# How long a job that is being stopped is waited for between two looks.
_PAUSE_S = 0.2
# How often the work of a job is started again whose node or Ray's process there has died.
_MOST_SUBMISSIONS = 10
# How long a process that Ray has left alone may take to save the state of its runs.
_SAVING_S = 30.0
# How long a job that no node has room for waits for another node.
_PATIENCE_S = 30.0
# How long a job waits until the user is told.
_NOTICED_S = 20.0
# How long actors of an earlier start may take to say whether they run.
_SETTLES_S = 2.0


@dataclass(eq=False)
class _RayJob:
    """A cohort, and the actor that works on it now.

    Attributes:
        folders: The runs that are left.
        executor: Submits it again where that is needed.
        actor: The id of its latest actor.
        name: The name of that, which begins with the id and says its runs to a later start.
        submissions: How often it was submitted.
        submitted: When it was the last time, by the clock that only grows.
        stops: How often a stop was requested.
        has_failed: Whether an actor's process has died of one of its runs.
        dead_since: When its actor has died; None: it has not.
        homeless_since: Since when no node has room for it; None: one has.
    """

    folders: tuple[Path, ...]
    executor: "RayExecutor"
    actor: str = ""
    name: str = ""
    progress: JobState = JobState.QUEUED
    submissions: int = 0
    submitted: float = field(default_factory=time.monotonic)
    stops: int = 0
    has_failed: bool = False
    dead_since: float | None = None
    homeless_since: float | None = None

    def state(self) -> JobState:
        """How far it is."""
        return self.progress

    def cancel(self) -> None:
        """Takes it back or requests a stop; a second time ends its workers at once."""
        if self.progress.has_ended:
            return
        self.stops += 1
        if self.dead_since is not None or self.executor.stop(self.actor):
            self.end(JobState.CANCELLED)

    def end(self, state: JobState) -> None:
        """Nothing is left to do for it."""
        failed = self.has_failed and state is JobState.DONE
        self.progress = JobState.FAILED if failed else state
        self.executor.release(self.actor)

    def update(self, found: Mapping[str, Any]) -> None:
        """Takes notice of what Ray and the job's own file say.

        Args:
            found: See ``Bridge.look``.

        Raises:
            BadInput: If a node cannot start it.
        """
        has_ended = found["state"] in ("exited", "dead")
        # After Ray's word: what it says of an actor that has ended is older than the file.
        end = read_end(self.executor.logs, self.actor, _ENGINE)
        if end is not None and end.state.has_ended:
            if end.problem is not None and not self.stops:
                raise _cannot_start(end.problem)
            self.end(end.state)
        elif not has_ended:
            is_pending = found["state"] == "pending"
            self.progress = JobState.QUEUED if is_pending else JobState.RUNNING
            self._notice_place(has_place=found["has_place"])
        elif self.stops:
            self.end(JobState.CANCELLED)
        elif found["is_refused"]:
            raise _cannot_start(found["reason"])
        elif found["state"] == "exited" and found["reason"] != str(int(ExitCode.INTERRUPTED)):
            how = f"the process of an actor of Ray ended with exit code {found['reason']}"
            self._blame(how)
        else:
            self._go_on(found["reason"])

    def _notice_place(self, *, has_place: bool) -> None:
        """Gives up where no node has room for it any more."""
        self.homeless_since = None if has_place else self.homeless_since or time.monotonic()
        waits = self.executor.settings.wait_for_nodes or self.homeless_since is None
        if not waits and time.monotonic() - (self.homeless_since or 0.0) > _PATIENCE_S:
            raise no_place(self.executor.demands)

    def _go_on(self, reason: str) -> None:
        """Ray has lost its actor: what is left of its work is submitted again."""
        if self.dead_since is None:
            self.dead_since = time.monotonic()
        # What has worked for the actor may still save the state of its runs.
        is_saving = any(RunFolder(path).state() is State.RUNNING for path in self.folders)
        if is_saving and time.monotonic() - self.dead_since < _SAVING_S:
            return
        if self.submissions >= _MOST_SUBMISSIONS:
            self._blame(f"its actor of Ray has died {self.submissions} times: {reason}")
        else:
            self.executor.start(self)

    def _blame(self, how: str) -> None:
        """The first run that is left has failed; those after it are submitted again."""
        self.has_failed = True
        log = self.executor.log_path(self.actor)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        self.folders = fail_first_unfinished(self.folders, how, "\n".join(lines[-_LAST_LINES:]))
        if self.folders:
            self.executor.start(self)
        else:
            self.end(JobState.FAILED)


class RayExecutor:
    """A detached actor for each cohort; it has a process of ``ablate.executors.node``.

    On a cluster that was there before, actors go on without this process. A later start of the
    same sweep takes over those that are there: each has its runs' keys in its name. A cluster of
    its own ends with this process, and its jobs save their state.

    Args:
        settings: Which cluster, and what jobs ask of it.
        work: The work's import path.
        devices: What a job computes on, once for each job that the work is divided into at least;
            the cluster decides how many run at a time.
        logs: Folder for what jobs print, and for how they have ended; nodes have to see it.
    """

    settings_model: ClassVar[type[Frozen]] = Settings

    def __init__(
        self, settings: Settings, *, work: str, devices: Sequence[str], logs: Path
    ) -> None:
        """Connects to the cluster, or starts one, and looks for jobs of an earlier start.

        Raises:
            BadInput: If there is no Ray, the cluster does not answer, or no node has room for a
                job.
        """
        self.logs = logs.absolute()
        self.settings, self._work, self._device = settings, work, devices[0]
        self.demands = settings.demands(self._device)
        self._jobs: list[_RayJob] = []
        self._looked = time.monotonic()
        self._own = ray.Connection(None) if settings.address is None else None
        self._connection: ray.Connection | None = None
        try:
            if not (settings.wait_for_nodes or self._ask("has_place", demands=self.demands)):
                raise no_place(self.demands)
            self._earlier = _comments(self._ask("names"))
        except BaseException:
            self._close_own()
            raise

    @classmethod
    def devices(cls, settings: Settings, named: Sequence[str], choose: Choose) -> Sequence[str]:
        """The nodes', which this machine need not have: those named, or one for each job.

        Raises:
            BadInput: If Ray is not installed, or the cluster's address refuses connections.
        """
        ray.require(settings.address)
        return named or (settings.computes_on,) * settings.jobs

    @classmethod
    def jobs_go_on(cls, settings: Settings) -> bool:
        """Whether its jobs go on when this process ends."""
        return settings.address is not None

    @classmethod
    def left_jobs(cls, settings: Settings, runs: Path, timeout_s: float) -> Sequence[LeftJob]:
        """The jobs that wait or run for runs of one store, of whatever start.

        Raises:
            BadInput: If the cluster does not answer.
        """
        assert settings.address is not None
        ask = partial(_ask, settings, ray.connect(settings.address))
        comments = {
            actor: comment
            for actor, comment in _comments(ask("names")).items()
            if comment.store == str(runs.absolute())
        }
        there = [
            actor
            for actor, comment in comments.items()
            if ask("attach", job=actor, name=f"{actor} {comment}")
        ]
        found = ask("look", jobs=there, wait_s=min(timeout_s, _SETTLES_S))
        return [
            LeftJob(
                keys=comments[actor].keys,
                state=JobState.QUEUED if each["state"] == "pending" else JobState.RUNNING,
                reason="",
                cancel=partial(ask, "stop", job=actor),
            )
            for actor, each in found.items()
            if each["state"] in ("pending", "running")
        ]

    def submit(self, cohort: Cohort) -> Job:
        """Gives a cohort to the cluster, unless a job of an earlier start works on it.

        Raises:
            BadInput: If the cluster refuses it.
        """
        job = _RayJob(tuple(path.absolute() for path in cohort.folders), self)
        wanted = comment_of(job.folders)
        for actor, comment in self._earlier.items():
            name = f"{actor} {comment}"
            if wanted.is_part_of(comment) and self._ask("attach", job=actor, name=name):
                job.actor, job.name, job.submissions = actor, name, 1
                break
        else:
            self.start(job)
        self._jobs.append(job)
        return job

    def start(self, job: _RayJob) -> None:
        """Submits what is left of a cohort.

        Raises:
            BadInput: If the cluster refuses it.
        """
        if job.actor:
            self.release(job.actor)
        job.actor = uuid.uuid4().hex[:12]
        job.name = f"{job.actor} {comment_of(job.folders)}"
        log = self.log_path(job.actor)
        log.parent.mkdir(parents=True, exist_ok=True)
        words = arguments(work=self._work, device=self._device, logs=self.logs, folders=job.folders)
        self._ask(
            "submit",
            job=job.actor,
            name=job.name,
            demands=self.demands,
            log=str(log),
            words=["--ray", job.actor, "--threads", str(self.settings.cpus), *words],
        )
        job.submissions += 1
        job.submitted, job.dead_since = time.monotonic(), None
        job.progress = JobState.QUEUED

    def stop(self, actor: str) -> bool:
        """Requests a stop of a job, or takes it back before it has begun; whether that is so."""
        return bool(self._ask("stop", job=actor))

    def release(self, actor: str) -> None:
        """Gives an actor's place back to the cluster."""
        self._ask("release", job=actor)
        end_path(self.logs, actor, _ENGINE).unlink(missing_ok=True)

    def wait(self, timeout_s: float) -> None:
        """Asks the cluster as often as the settings allow."""
        time.sleep(timeout_s)
        if time.monotonic() - self._looked >= self.settings.poll_s:
            self.look()

    def look(self) -> None:
        """Asks the cluster, and takes notice of what has ended.

        Raises:
            BadInput: If a job can never start, or the cluster is lost.
        """
        self._looked = time.monotonic()
        jobs = [job for job in self._jobs if not job.progress.has_ended]
        found = self._ask("look", jobs=[job.actor for job in jobs])
        for job in jobs:
            job.update(found[job.actor])

    def notice(self) -> str | None:
        """What jobs wait for, in one line; None: nothing is to be said."""
        waiting = [job for job in self._jobs if job.progress is JobState.QUEUED]
        jobs = "1 job waits" if len(waiting) == 1 else f"{len(waiting)} jobs wait"
        if any(job.homeless_since is not None for job in waiting):
            return f"Ray: {jobs}; no node of the cluster has what a job asks for"
        is_early = any(time.monotonic() - job.submitted < _NOTICED_S for job in waiting)
        if not waiting or is_early or any(job.progress is JobState.RUNNING for job in self._jobs):
            return None
        return f"Ray: {jobs} for others to end that have the nodes"

    def detach(self) -> None:
        """Lets go of its jobs, which go on; it is closed with that."""
        self._jobs.clear()

    def close(self) -> None:
        """Cancels what has not ended, and waits until it has."""
        try:
            for job in self._jobs:
                if not job.stops:
                    job.cancel()
            while not all(job.progress.has_ended for job in self._jobs):
                time.sleep(_PAUSE_S)
                self.look()
        finally:
            self._close_own()

    def log_path(self, actor: str) -> Path:
        """What a job prints."""
        return self.logs / "ray" / f"{actor}.log"

    def _close_own(self) -> None:
        if self._own is not None:
            self._own.close()

    def _ask(self, do: str, **values: Any) -> Any:
        """Asks the cluster, by another connection where that has ended.

        Raises:
            BadInput: If the cluster is lost.
        """
        if self._own is not None:
            return _ask(self.settings, self._own, do, **values)
        try:
            return self._connected().ask(do, **values)
        except ray.ConnectionLost:
            ray.disconnect(str(self.settings.address))
            return _ask(self.settings, self._connected(), do, **values)

    def _connected(self) -> ray.Connection:
        """The connection to the cluster; a new one is told of the jobs."""
        assert self.settings.address is not None
        connection = ray.connect(self.settings.address)
        if connection is not self._connection:
            self._connection = connection
            for job in self._jobs:
                connection.ask("attach", job=job.actor, name=job.name)
        return connection


def _comments(names: Sequence[str]) -> dict[str, Comment]:
    """What each actor says of its runs, by its id."""
    parts = (name.partition(" ") for name in names)
    found = {actor: parse_comment(comment) for actor, _, comment in parts}
    return {actor: comment for actor, comment in found.items() if comment is not None}


def _cannot_start(why: str) -> BadInput:
    return BadInput(
        f"a node of the Ray cluster cannot start a job: {why}",
        "nodes need the same ablate and Python, and have to see the store under the same path",
    )


def _ask(settings: Settings, connection: ray.Connection, do: str, **values: Any) -> Any:
    """Asks a cluster.

    Raises:
        BadInput: If it is lost.
    """
    try:
        return connection.ask(do, **values)
    except ray.ConnectionLost as error:
        where = "of this machine" if settings.address is None else f"at {settings.address}"
        raise BadInput(
            f"the Ray cluster {where} is lost: {error}",
            "run the same command again when it is back; it continues",
        ) from error
