"""A store that is read with recomputed results, or with states that its files do not show."""

from collections.abc import Mapping
from pathlib import Path

from ablate.metrics import Confusion, scores
from ablate.runs import FinishedRun, RunFolder, State, Store


class StoreView(Store):
    """A store that a report reads otherwise than its files alone say.

    Args:
        root: The folder.
        states: The states of runs without a result whose files no longer show them, by key.
        recomputed: Whether the scores of results are computed from the pixels of the images.
    """

    def __init__(
        self, root: Path, *, states: Mapping[str, State] | None = None, recomputed: bool = False
    ) -> None:
        """Touches nothing."""
        super().__init__(root)
        self._states = states or {}
        self._is_recomputed = recomputed

    def run(self, key: str) -> RunFolder:
        """The folder of a run, there or not."""
        path = super().run(key).path
        return _FolderView(path, self._states.get(key), is_recomputed=self._is_recomputed)

    def decoded_path(self, sweep_id: str) -> None:
        """Nowhere: this is what a report is compared with."""


class _FolderView(RunFolder):
    def __init__(self, path: Path, state: State | None, *, is_recomputed: bool) -> None:
        super().__init__(path)
        self._state = state
        self._is_recomputed = is_recomputed

    def state(self) -> State:
        """The recorded state, unless there is a result."""
        state = super().state()
        return state if state is State.DONE or self._state is None else self._state

    def is_claimed(self) -> bool:
        """Whether some process works on this run, or did when the state was recorded."""
        return self._state is State.RUNNING or super().is_claimed()

    def is_untouched(self) -> bool:
        """Whether no process has worked on this run, as files and recorded state show it."""
        return self._state in (None, State.NEW) and super().is_untouched()

    def finished(self) -> FinishedRun | None:
        """The run, its scores and pooled pixels recomputed where that is wanted."""
        finished = super().finished()
        if finished is None or not self._is_recomputed:
            return finished
        result, pixels = finished.result, finished.confusions().pooled
        metrics = result.metrics | scores(Confusion(**pixels))
        test = result.test
        if test is not None:
            of_test = finished.test_confusions().pooled
            test = test.model_copy(
                update={"metrics": scores(Confusion(**of_test)), "confusion": of_test}
            )
        result = result.model_copy(update={"metrics": metrics, "confusion": pixels, "test": test})
        return _RecomputedRun(result, finished.provenance, finished.folder, finished.contents)


class _RecomputedRun(FinishedRun):
    def check(self) -> None:
        """Recomputed values need not be those that were sealed."""
