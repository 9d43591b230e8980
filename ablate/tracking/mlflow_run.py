"""One run of a sweep, in MLflow."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from ablate.errors import StoreError
from ablate.runs import Event, Failure, Result, RunFolder, State
from ablate.spec import RunSpec
from ablate.tracking import mapping
from ablate.tracking.artifacts import TABLE_TAG, Files, upload
from ablate.tracking.logged_model import ensure_model

# mlflow.utils.validation.MAX_ENTITIES_PER_BATCH, less room for params, final metrics and tags.
_METRICS_PER_BATCH = 800


class MlflowRun:
    """Keeps one MLflow run equal to one run's folder, and remembers what it logged.

    Args:
        client: The connection to MLflow.
        run: The MLflow run.
        spec: What the run is.
        params: Its params.
        files: Where its files go.
        is_new: Whether ``run`` was created just now, and so has no history.
    """

    def __init__(
        self,
        client: MlflowClient,
        run: Run,
        spec: RunSpec,
        params: Mapping[str, str],
        files: Files,
        *,
        is_new: bool,
    ) -> None:
        """Logs the data set, as far as an earlier process was killed before it."""
        self._client = client
        self.spec = spec
        self._id: str = run.info.run_id
        self._experiment_id: str = run.info.experiment_id
        self._files = files
        self._is_new = is_new
        self._name: str = run.info.run_name
        self._status: str = run.info.status
        self._tags: dict[str, str] = dict(run.data.tags)
        self._epochs: set[int] | None = set() if is_new else None
        self._start_ms: int = run.info.start_time
        self.ended_ms: int | None = run.info.end_time
        self.state: State | None = None
        # A value that MLflow has cannot be changed; a later ablate may spell one differently.
        self._params = [Param(k, v) for k, v in params.items() if k not in run.data.params]
        # Epochs that are logged with what comes next of the run.
        self._epoch_metrics: list[Metric] = []
        self._log_data(run)

    @property
    def settled(self) -> bool:
        """Whether the run is done and MLflow knows all of it: nothing can change any more."""
        return self.state is State.DONE

    def update(self, folder: RunFolder, name: str) -> None:
        """Logs what is new in the folder.

        Raises:
            mlflow.exceptions.MlflowException: If MLflow cannot be written to.
            StoreError: If a file of the folder cannot be read; all others are logged.
        """
        if name != self._name:
            self._client.update_run(self._id, name=name)
            self._name = name
        # The state first: what it promises (events, result) is there when it is read after.
        state = folder.state()
        ending = _ending(folder, state)
        if ending is None and state in (State.DONE, State.FAILED, State.DIVERGED):
            return  # a new attempt has just begun: the next update sees it
        stamp = _stamp(ending)
        problems: list[str] = []
        logged = (self._tags.get("ablate.state"), self._tags.get("ablate.artifacts"), self._status)
        is_logged = logged == (state.value, stamp, mapping.STATUS[state])
        try:
            if not (is_logged and state in (State.DONE, State.DAMAGED)):
                events = self._events(folder, state, ending, problems)
                self._log_epochs(events)
                if not is_logged:
                    end_ms = _end_ms(state, ending, events)
                    problems += self._log_state(folder, state, ending, stamp, end_ms)
        except (OSError, StoreError):
            self._log_rest()
            raise
        self._log_rest()
        self.state = state
        if state is State.DAMAGED:
            problems += [folder.damage() or "its files were damaged"]
        if problems:
            raise StoreError("; ".join(problems), "")

    def _events(
        self, folder: RunFolder, state: State, ending: Result | Failure | None, problems: list[str]
    ) -> list[Event]:
        """The epochs that can be trusted; of a finished run, the rest is logged without them."""
        if state is State.DAMAGED:
            return []
        if not isinstance(ending, Result):
            return folder.events()
        try:
            return folder.events(ending)
        except StoreError as error:
            problems.append(str(error))
            return []

    def _log_data(self, run: Run) -> None:
        if run.inputs is None or not run.inputs.dataset_inputs:
            data = mapping.data_input(self.spec.context)
            dataset = Dataset(
                data.name, data.digest, "code", source=data.source, profile=data.profile
            )
            role = InputTag("mlflow.data.context", "training")
            self._client.log_inputs(self._id, [DatasetInput(dataset, [role])])

    def _log_epochs(self, events: list[Event]) -> None:
        """Logs each epoch once: a resumed run repeats some, at another time."""
        if not events:
            return
        if self._epochs is None:
            # Not a tag: the metrics of an epoch are one transaction, a tag would be another.
            any_name = mapping.epoch_points(events[0])[0].name
            history = self._client.get_metric_history(self._id, any_name)
            self._epochs = {metric.step for metric in history}
        for batch in _batches(event for event in events if event.epoch not in self._epochs):
            self._log_rest()
            points = [point for event in batch for point in mapping.epoch_points(event)]
            self._epoch_metrics = [_metric(point) for point in points]
            self._epochs |= {event.epoch for event in batch}

    def _log_state(
        self,
        folder: RunFolder,
        state: State,
        ending: Result | Failure | None,
        stamp: str,
        end_ms: int | None,
    ) -> list[str]:
        """Logs how a run stands; returns why files of it were not copied."""
        problems: list[str] = []
        tags = mapping.state_tags(self.spec, state, ending, stamp)
        if ending and self._tags.get("ablate.artifacts") != stamp:
            problems = upload(self._files, folder, ending)
        if isinstance(ending, Result):
            tags |= TABLE_TAG
            self._log_final(folder.key, ending, tags)
        else:
            self._log([], tags)
        self._tags |= tags
        if end_ms is not None:
            # The clock may have been set back since the run was created.
            end_ms = max(end_ms, self._start_ms)
        # The status last: of a run that is FINISHED for MLflow, everything has been logged.
        set_status(self._client, self._id, mapping.STATUS[state], end_ms)
        self._status, self.ended_ms = mapping.STATUS[state], end_ms
        return problems

    def _log_final(self, key: str, result: Result, tags: Mapping[str, str]) -> None:
        """Logs the final metrics, each with the model and the data that it belongs to."""
        card, data = (
            mapping.model_card(self.spec, key, result),
            mapping.data_input(self.spec.context),
        )
        model_id = ensure_model(
            self._client, self._experiment_id, self._id, card, is_new=self._is_new
        )
        metrics = [
            Metric(
                point.name,
                point.value,
                point.time_ms,
                point.step,
                model_id=model_id,
                dataset_name=data.name,
                dataset_digest=data.digest,
            )
            for point in mapping.final_points(result)
        ]
        self._log(metrics, tags)

    def _log_rest(self) -> None:
        """Logs the params and epochs that nothing else was logged with."""
        if self._params or self._epoch_metrics:
            self._log([], {})

    def _log(self, metrics: Sequence[Metric], tags: Mapping[str, str]) -> None:
        """Logs metrics and tags; the params and the last epochs with them, in one request."""
        together = [*self._epoch_metrics, *metrics]
        self._client.log_batch(self._id, together, self._params, _tags(tags), synchronous=True)
        self._params, self._epoch_metrics = [], []


def log(
    client: MlflowClient,
    run_id: str,
    points: Iterable[mapping.Point],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Logs metrics and tags in one request."""
    client.log_batch(
        run_id,
        metrics=[_metric(point) for point in points],
        tags=_tags(tags or {}),
        synchronous=True,
    )


def _metric(point: mapping.Point) -> Metric:
    return Metric(point.name, point.value, point.time_ms, point.step)


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in tags.items()]


def set_status(client: MlflowClient, run_id: str, status: str, end_ms: int | None) -> None:
    """Sets a run's status, and when it ended where that is known."""
    if end_ms is None:
        client.update_run(run_id, status=status)
    else:
        client.set_terminated(run_id, status, end_ms)


def _ending(folder: RunFolder, state: State) -> Result | Failure | None:
    if state is State.DONE:
        return folder.result()
    if state in (State.FAILED, State.DIVERGED):
        return folder.failure()
    return None


def _stamp(ending: Result | Failure | None) -> str:
    """Distinguishes one ending from another, so that its files are copied once."""
    if isinstance(ending, Result):
        return ending.weights_sha256
    return f"failure {mapping.milliseconds(ending.time)}" if ending else ""


def _end_ms(state: State, ending: Result | Failure | None, events: list[Event]) -> int | None:
    if isinstance(ending, Result):
        return mapping.milliseconds(ending.finished)
    if isinstance(ending, Failure):
        return mapping.milliseconds(ending.time)
    if state is State.INTERRUPTED and events:
        return mapping.milliseconds(events[-1].time)
    return None


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Groups of whole epochs, each small enough for one request."""
    batch: list[Event] = []
    for event in events:
        if batch and sum(len(e.metrics) for e in (*batch, event)) > _METRICS_PER_BATCH:
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch
