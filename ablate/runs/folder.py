"""A run's folder: the only place that knows its files' names, and the order of writing them."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from ablate.errors import StoreError
from ablate.runs import atomic, confusions, documents
from ablate.runs.attempt_files import AttemptFiles
from ablate.runs.attempts import Attempt, Ending
from ablate.runs.confusions import Confusions
from ablate.runs.formats import Event, Failure, Progress, Result, SpecFile, State
from ablate.spec import ENGINE_VERSION, RunSpec

# A display that checks whether a run is claimed holds the lock for microseconds.
_CLAIM_PATIENCE_S = 1.0
_CHECKPOINTS_KEPT = 2

_File = TypeVar("_File", Result, Failure, Progress)


class RunFolder:
    """One run on disk, ``STORE/runs/KEY``.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        self.path = path
        self.weights_path = path / "weights.safetensors"
        self.confusion_path = path / "confusion.parquet"
        self.panels_path = path / "panels"
        self._spec_path = path / "spec.json"
        self._events_path = path / "events.jsonl"
        self._progress_path = path / "progress.json"
        self._result_path = path / "result.json"
        self._failure_path = path / "failure.json"
        self._claim_path = path / "claim.lock"
        self._attempts = AttemptFiles(path / "attempts")

    @property
    def key(self) -> str:
        """The run's key."""
        return self.path.name

    # The spec -----------------------------------------------------------------------------

    def create(self, spec: SpecFile) -> None:
        """Writes ``spec.json`` unless it is there; it never changes after that."""
        if not self._spec_path.exists():
            atomic.publish(self._spec_path, spec.model_dump_json(indent=2).encode())

    def spec_file(self) -> SpecFile:
        """Reads ``spec.json``.

        Raises:
            StoreError: If it is missing, unreadable, or not the spec of this key. The key of a run
                of an older engine cannot be computed any more; its folder's name is trusted.
        """
        repair = "remove the run's folder and run again"
        try:
            spec = documents.read(SpecFile, self._spec_path, repair)
        except FileNotFoundError as error:
            raise StoreError(f"{self._spec_path} is missing", repair) from error
        computed = spec.run.key if spec.run.context.engine == ENGINE_VERSION else spec.key
        if not spec.key == self.key == computed:
            wrong = spec.key if spec.key != self.key else computed
            raise StoreError(
                f"{self._spec_path} is of run {wrong}, not of {self.key}",
                "move the folder back, or remove it",
            )
        return spec

    def record_paths(self) -> list[Path]:
        """The files that tell what became of the run, there or not, the result first.

        A reader that copies them in this order while the run ends never has a result without
        the files that it is of.
        """
        return [
            self._result_path,
            self.confusion_path,
            self._events_path,
            self._failure_path,
            self._spec_path,
            *self._attempts.paths(),
        ]

    def spec(self) -> RunSpec:
        """The run of this folder."""
        return self.spec_file().run

    # Who works on it ----------------------------------------------------------------------

    @contextmanager
    def claim(self) -> Iterator[bool]:
        """Holds the run for this process; the operating system ends the claim with the process.

        Yields:
            Whether this process has the claim; False: another process works on this run.
        """
        lock = FileLock(self._claim_path)
        try:
            lock.acquire(timeout=_CLAIM_PATIENCE_S)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def is_claimed(self) -> bool:
        """Whether some process works on this run now."""
        if not self._claim_path.exists():
            return False
        lock = FileLock(self._claim_path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def is_untouched(self) -> bool:
        """Whether no process has worked on this run yet; cheaper than ``state``."""
        return not self.path.exists() or set(self.path.iterdir()) <= {self._spec_path}

    def state(self) -> State:
        """The state that the files show."""
        if self._result_path.exists():
            return State.DONE
        if self.is_claimed():
            return State.RUNNING
        if failure := self.failure():
            return State.DIVERGED if failure.kind == "diverged" else State.FAILED
        if any(self._checkpoints()):
            return State.INTERRUPTED
        return State.NEW

    # What it costs ------------------------------------------------------------------------

    def begin_attempt(self, attempt: Attempt) -> None:
        """Notes that an attempt begins, and how the one before it has ended.

        To be called with the claim, and before an earlier failure is removed.
        """
        # One that cannot be read is left to whoever asks for the cost.
        with suppress(StoreError):
            last = self._attempts.last()
            if last is not None and last.ending is None:
                ending: Ending = "failed" if self.has_failure() else "killed"
                self._attempts.write(last.model_copy(update={"ending": ending}), force=False)
        self._attempts.write(attempt, force=False)

    def update_attempt(self, attempt: Attempt, *, is_over: bool) -> None:
        """Writes what an attempt has cost by now; forced to the disk when it is over."""
        self._attempts.write(attempt, force=is_over)

    def attempts(self) -> list[Attempt]:
        """All attempts at this run, oldest first, each with how it has ended.

        Empty for a run that was never begun, or by an ablate that did not record them.

        Raises:
            StoreError: If one cannot be read.
        """
        found = self._attempts.read()
        if found and found[-1].ending is None:
            found[-1] = found[-1].model_copy(update={"ending": self._last_ending()})
        return found

    def add_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Adds attempts at this run that were made in another store.

        Raises:
            StoreError: If an attempt of this folder cannot be read.
        """
        own = self.attempts()
        known = {each.started for each in own}
        new = [each for each in attempts if each.started not in known]
        # The last one may no longer be the last, whose ending the other files tell.
        for attempt in (*own[-1:], *new) if new else ():
            self._attempts.write(attempt, force=True)

    def _last_ending(self) -> Ending:
        if self._result_path.exists():
            return "done"
        if self.is_claimed():
            return "running"
        return "failed" if self.has_failure() else "killed"

    # Events and progress ------------------------------------------------------------------

    def append_event(self, event: Event) -> None:
        """Adds the end of an epoch."""
        atomic.append_line(self._events_path, event.model_dump_json())

    def events(self) -> list[Event]:
        """All whole lines, in order; a line that a kill cut short is left out.

        Raises:
            StoreError: If a whole line cannot be read.
        """
        repair = "remove the run's folder and run again"
        try:
            lines = documents.content_of(self._events_path, repair).split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [
            documents.from_content(Event, line, f"line {number} of {self._events_path}", repair)
            for number, line in enumerate(lines, start=1)
        ]

    def cut_events(self, last_epoch: int) -> None:
        """Removes what came after ``last_epoch``, which a resumed run repeats.

        Raises:
            StoreError: If a whole line cannot be read.
        """
        kept = [event for event in self.events() if event.epoch <= last_epoch]
        lines = "".join(event.model_dump_json() + "\n" for event in kept)
        atomic.replace(self._events_path, lines.encode())

    def write_progress(self, progress: Progress) -> None:
        """Writes how far the run is; not forced to the disk, since only displays read it."""
        temporary = self._progress_path.with_suffix(".tmp")
        temporary.write_text(progress.model_dump_json(), encoding="utf-8")
        temporary.replace(self._progress_path)

    def progress(self) -> Progress | None:
        """How far the run is; None where no worker has written it.

        Raises:
            StoreError: If it cannot be read.
        """
        return _read(Progress, self._progress_path)

    # Checkpoints --------------------------------------------------------------------------

    def _checkpoints(self) -> list[Path]:
        """Checkpoint files, oldest first; the names sort by step."""
        return sorted(self.path.glob("checkpoint-*.pt"))

    def save_checkpoint(self, step: int, content: bytes) -> None:
        """Writes the state after ``step`` and its SHA-256; keeps the last two."""
        path = self.path / f"checkpoint-{step:09d}.pt"
        digest = hashlib.sha256(content).hexdigest()
        atomic.replace(path.with_suffix(".sha256"), digest.encode())
        atomic.replace(path, content)
        for old in self._checkpoints()[:-_CHECKPOINTS_KEPT]:
            old.unlink()
            old.with_suffix(".sha256").unlink(missing_ok=True)

    def load_checkpoint(self) -> bytes | None:
        """The newest checkpoint whose SHA-256 is right; None where there is none."""
        for path in reversed(self._checkpoints()):
            digest_path = path.with_suffix(".sha256")
            content = path.read_bytes()
            if (
                digest_path.exists()
                and digest_path.read_text() == hashlib.sha256(content).hexdigest()
            ):
                return content
        return None

    def drop_checkpoints(self) -> None:
        """Removes all checkpoints: the run starts from the beginning, or is done."""
        for path in self._checkpoints():
            path.unlink()
            path.with_suffix(".sha256").unlink(missing_ok=True)

    # Confusions ---------------------------------------------------------------------------

    def write_confusions(self, names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        """Writes ``confusion.parquet``.

        Args:
            names: Names of the N validation images.
            counts: Of each image: tp, fp, fn and tn; shape Nx4.
        """
        atomic.replace(self.confusion_path, confusions.encode(names, counts))

    def confusions(self) -> Confusions:
        """The pixels of every validation image.

        Raises:
            StoreError: If they are missing or cannot be read.
        """
        path, repair = self.confusion_path, "remove the run's folder and run again"
        try:
            content = documents.content_of(path, repair)
        except FileNotFoundError as error:
            raise StoreError(f"{path} is missing", repair) from error
        return confusions.decode(content, path)

    # The end ------------------------------------------------------------------------------

    def publish_result(self, result: Result) -> None:
        """Makes the run done; an existing result is kept."""
        atomic.publish(self._result_path, (result.model_dump_json(indent=2) + "\n").encode())
        self._failure_path.unlink(missing_ok=True)
        self._progress_path.unlink(missing_ok=True)
        self.drop_checkpoints()

    def result(self) -> Result | None:
        """The result of a finished run; None before that.

        Raises:
            StoreError: If it cannot be read.
        """
        return _read(Result, self._result_path)

    def write_failure(self, failure: Failure) -> None:
        """Writes why the run could not go on."""
        atomic.replace(self._failure_path, (failure.model_dump_json(indent=2) + "\n").encode())

    def failure(self) -> Failure | None:
        """Why the run could not go on; None if it can.

        Raises:
            StoreError: If it cannot be read.
        """
        return _read(Failure, self._failure_path)

    def has_failure(self) -> bool:
        """Whether something is written about why the run could not go on."""
        return self._failure_path.exists()

    def clear_failure(self) -> None:
        """Removes the failure: a new attempt begins."""
        self._failure_path.unlink(missing_ok=True)


def _read(model: type[_File], path: Path) -> _File | None:
    """The file's content; None where there is no file (any more)."""
    try:
        return documents.read(model, path, "remove the file and run again")
    except FileNotFoundError:
        return None
