"""A run's folder: the names of its files, and the order of writing them."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ablate.errors import StoreClosed, StoreError
from ablate.runs import atomic, confusions, documents, sealing, set_aside
from ablate.runs import finished as finished_run
from ablate.runs.attempt_files import AttemptFiles
from ablate.runs.attempts import Attempt, Ending
from ablate.runs.cells import PixelCount
from ablate.runs.confusions import Confusions
from ablate.runs.evaluations import Evaluations
from ablate.runs.finished import FinishedRun
from ablate.runs.formats import Failure, Result, SpecFile, State
from ablate.runs.sealing import REPAIR
from ablate.runs.training_folder import TrainingFolder
from ablate.spec import RunSpec


class RunFolder(TrainingFolder):
    """One run on disk, ``STORE/runs/KEY``.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing."""
        super().__init__(path)
        self.weights_path = path / "weights.safetensors"
        self.confusion_path = path / "confusion.parquet"
        self.test_confusion_path = path / "confusion-test.parquet"
        self.panels_path = path / "panels"
        self.evaluations = Evaluations(path)
        self._spec_path = path / "spec.json"
        self._result_path = path / "result.json"
        self._attempts = AttemptFiles(path / "attempts", self._writer)

    @property
    def key(self) -> str:
        """The run's key."""
        return self.path.name

    # The spec -----------------------------------------------------------------------------

    def create(self, spec: SpecFile) -> None:
        """Writes ``spec.json`` unless it is there; it never changes after that.

        Damaged files of an earlier start are set aside before, so that the run is trained anew;
        what a kill has left beside a result is removed.

        Raises:
            StoreClosed: If a file cannot be read, though it is not damaged.
            StoreError: If another process works on the damaged run.
        """
        if self.path.exists() and (error := self._damage()) is not None:
            if isinstance(error, StoreClosed):
                raise error
            self._set_aside()
        elif self.has_result():
            self._remove_what_is_over()
        if not os.path.lexists(self._spec_path):
            content = spec.model_dump_json(indent=2).encode()
            try:
                atomic.publish(self._spec_path, content)
            except FileNotFoundError:
                # A merge has put its copy in the folder's place meanwhile.
                atomic.publish(self._spec_path, content)

    def spec_file(self) -> SpecFile:
        """Reads ``spec.json``.

        Raises:
            StoreError: If it is missing, unreadable, or not the spec of this key. The key of a run
                of an older engine cannot be computed any more; its folder's name is trusted.
        """
        content = documents.required_content(self._spec_path, REPAIR)
        return finished_run.spec_of(content, self._spec_path)

    def record_paths(self) -> list[Path]:
        """The files that tell what became of the run, there or not, the result first.

        A reader that copies them in this order while the run ends never has a result without
        the files that it is of.
        """
        return [
            self._result_path,
            self.confusion_path,
            self.test_confusion_path,
            self._events.path,
            self._failure_path,
            self._spec_path,
            *self._attempts.paths(),
        ]

    def spec(self) -> RunSpec:
        """The run of this folder."""
        return self.spec_file().run

    # Who works on it ----------------------------------------------------------------------

    def is_left(self, failure: Failure | None = None) -> bool:
        """Whether a run has neither result nor failure, and no process works on it.

        Looked at with the claim, which ends that of a dead process on another host, and makes a
        network file system look at the folder anew. A run that cannot be claimed, as on a full
        disk, is left too: whoever is to train it says so.

        Args:
            failure: Is written if so, where the run's own worker could not.
        """
        with suppress(StoreError), self.claim() as claimed:
            if not claimed or self.has_result() or self.has_failure():
                return False
            if failure is not None:
                self.write_failure(failure)
        return True

    def is_untouched(self) -> bool:
        """Whether no process has worked on this run yet; cheaper than ``state``."""
        untouched = {self._spec_path, self.path / atomic.PUBLISH_LOCK}
        try:
            return all(path in untouched for path in self.path.iterdir())
        except FileNotFoundError:
            return True

    def state(self) -> State:
        """The state that the files show; of a damaged run, ``damage`` says why."""
        try:
            if not self.has_result() and self.is_claimed():
                return State.RUNNING
        except StoreError:
            return State.DAMAGED
        return self.state_as_left()

    def state_as_left(self) -> State:
        """The state, for the process that holds the claim: never ``RUNNING``."""
        if self.has_result():
            return State.DONE if self.damage() is None else State.DAMAGED
        try:
            failure = self.failure()
        except StoreError:
            return State.DAMAGED
        if failure:
            return State.DIVERGED if failure.kind == "diverged" else State.FAILED
        if self._checkpoints:
            return State.INTERRUPTED
        return State.NEW

    # Damage -------------------------------------------------------------------------------

    def damage(self) -> str | None:
        """What is wrong with the run's files, in one line; None: nothing was seen.

        Of a finished run, the result, the spec and the files that the numbers are made of; of
        any other, what its state is read from. Weights are not looked at (``weights_problem``).
        """
        error = self._damage()
        return None if error is None else str(error)

    def _damage(self) -> StoreError | None:
        try:
            if self.checked() is None:
                if os.path.lexists(self._spec_path):
                    self.spec_file()
                self.is_claimed()
                self.failure()
        except StoreError as error:
            return error
        return None

    def weights_problem(self) -> str | None:
        """Why the weights of a finished run cannot be used, in one line; None if they can."""
        return sealing.weights_problem(self.path)

    def _set_aside(self) -> None:
        """Moves the damaged files into ``damaged-N``: all of a finished run, else only those."""
        with self.claim() as claimed:
            if not claimed:
                raise StoreError(str(self.damage()), "wait: another process works on this run")
            # What the attempts have cost stays.
            files = set(self.path.iterdir()) - self._own_files() - {self._attempts.path}
            if not self.has_result():
                files &= self._broken_files()
            # The result last: until then, a kill leaves a damaged run.
            ordered = sorted(files, key=lambda path: (path == self._result_path, path))
            set_aside.move(ordered, self.path, self._writer)

    def _broken_files(self) -> set[Path]:
        broken = set()
        for path, read in ((self._spec_path, self.spec_file), (self._failure_path, self.failure)):
            try:
                read()
            except StoreError:
                broken.add(path)
        return broken

    # What it costs ------------------------------------------------------------------------

    def begin_attempt(self, attempt: Attempt) -> Attempt:
        """Notes that an attempt begins, and how the one before it has ended.

        To be called with the claim, and before an earlier failure is removed.

        Returns:
            The attempt as it is noted: begun after the one before it, and after the run was
            created, also where the clock was set back since.
        """
        with suppress(StoreError):
            attempt = attempt.not_before(self.spec_file().provenance.created)
        return self._attempts.begin(attempt, "failed" if self.has_failure() else "killed")

    def update_attempt(self, attempt: Attempt, *, is_over: bool) -> None:
        """Writes what an attempt has cost by now; forced to the disk when it is over."""
        self._attempts.write(attempt, force=is_over)

    def attempts(self) -> list[Attempt]:
        """All attempts at this run, oldest first, each with how it has ended.

        Empty for a run that was never begun, or by an ablate that did not record them.

        Raises:
            StoreError: If one cannot be read.
        """
        return self._attempts.read(self._last_ending)

    def attempts_as_left(self) -> list[Attempt]:
        """The attempts, for the process that holds the claim: none is still running.

        Raises:
            StoreError: If one cannot be read.
        """
        return self._attempts.read(self._ending_as_left)

    def add_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Adds attempts at this run that were made in another store; to be called with the claim.

        Raises:
            StoreError: If an attempt of this folder cannot be read.
        """
        self._attempts.add(attempts, self._ending_as_left)

    def _last_ending(self) -> Ending:
        if not self.has_result() and self.is_claimed():
            return "running"
        return self._ending_as_left()

    def _ending_as_left(self) -> Ending:
        if self.has_result():
            return "done"
        return "failed" if self.has_failure() else "killed"

    # What a result is of ------------------------------------------------------------------

    def write_file(self, path: Path, content: bytes) -> None:
        """Writes ``weights.safetensors``, or a panel."""
        self._writer.replace(path, content)

    def write_confusions(
        self, names: Sequence[str], counts: Sequence[Sequence[int]], *columns: PixelCount
    ) -> None:
        """Writes ``confusion.parquet``; see ``confusions.encode``."""
        self._writer.replace(self.confusion_path, confusions.encode(names, counts, columns))

    def write_test_confusions(
        self, names: Sequence[str], counts: Sequence[Sequence[int]], *columns: PixelCount
    ) -> None:
        """Writes ``confusion-test.parquet``, as ``write_confusions`` does, of the test images."""
        self._writer.replace(self.test_confusion_path, confusions.encode(names, counts, columns))

    def confusions(self) -> Confusions:
        """The pixels of every validation image.

        Raises:
            StoreError: If they are missing or cannot be read.
        """
        return confusions.read(self.confusion_path)

    def test_confusions(self) -> Confusions:
        """The pixels of every test image.

        Raises:
            StoreError: If they are missing or cannot be read.
        """
        return confusions.read(self.test_confusion_path)

    def publish_result(self, result: Result) -> None:
        """Makes the run done, with the digests of its files; an existing result is kept."""
        atomic.require_folder(self.path)
        sealed = sealing.seal(result, self.path)
        content = (sealed.model_dump_json(indent=2) + "\n").encode()
        self._writer.publish(self._result_path, content)
        self._remove_what_is_over()

    def _remove_what_is_over(self) -> None:
        """Of a finished run: checkpoints, the failure of an earlier attempt, and the like."""
        for path in (self._failure_path, self._progress_path):
            self._writer.remove(path)
        self._checkpoints.drop()
        atomic.remove_leftovers(self.path)
        if self._writer.stage is None:
            with suppress(StoreError):
                self._claim.remove_leftovers()

    def has_result(self) -> bool:
        """Whether the run is done, or a damaged result lies in its place."""
        return os.path.lexists(self._result_path)

    def result(self) -> Result | None:
        """The result of a finished run; None before that.

        Raises:
            StoreError: If it cannot be read, or is of another run.
        """
        content = documents.content_if_there(self._result_path, REPAIR)
        return None if content is None else finished_run.result_of(content, self._result_path)

    def finished(self) -> FinishedRun | None:
        """The result of a finished run, and what it is made of; None before that.

        Raises:
            StoreError: If result or spec cannot be read, or are of another run. That the files
                are as they were written is for ``FinishedRun.check`` to say.
        """
        return finished_run.read(self.path)

    def checked(self) -> FinishedRun | None:
        """As ``finished``, with files that are as they were written.

        Raises:
            StoreError: If one of them is missing, cannot be read, or was changed.
        """
        documents.check_folders(self.path, self.panels_path, self._attempts.path)
        finished = self.finished()
        if finished is not None:
            finished.check()
        return finished
