"""The sweeps of a store, in MLflow: a parent run for each, a nested run for each of its runs."""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException

from ablate.errors import StoreError
from ablate.runs import RecordedRun, SpecFile, State, Store, shown
from ablate.tracking import mapping
from ablate.tracking.address import Address
from ablate.tracking.artifacts import files_of
from ablate.tracking.groups import Group
from ablate.tracking.logged_model import delete_models
from ablate.tracking.mlflow_run import MlflowRun, log, set_status
from ablate.tracking.report_copy import read_report
from ablate.tracking.transactions import transaction
from ablate.tracking.ui_view import VIEW_TAGS

_EXPERIMENT = "ablate"
_EXPERIMENT_TAGS = {
    "mlflow.note.content": "Mirror of ablate's run folders, made by `ablate run` and `ablate sync`."
    " Tables come from the folders: `ablate report`.",
    # Without it the UI asks whether this is about language models.
    "mlflow.experimentKind": "custom_model_development",
    **VIEW_TAGS,
}
_ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"
_PAGE = 1000


@dataclass(frozen=True)
class Pass:
    """What one update from a sweep's folders gave.

    Attributes:
        mirrored: Runs that MLflow now holds.
        problems: Folders that could not be read, one line each.
    """

    mirrored: int
    problems: tuple[str, ...]


class Mirror:
    """Keeps MLflow equal to the folders; remembers what it logged, and logs only what is new.

    Args:
        store: Whose folders are read.
        address: Where MLflow is.

    Raises:
        mlflow.exceptions.MlflowException: If MLflow cannot be written to.
        StoreError: If the store was moved since its mirror was made.
    """

    def __init__(self, store: Store, address: Address) -> None:
        """Finds or creates the experiment."""
        self._store = store
        self._address = address
        self._client = MlflowClient(tracking_uri=address.uri)
        self._experiment_id = self._experiment()
        self._sweeps: dict[str, _MirroredSweep] = {}

    def update(self, group: Group, *, live: bool) -> Pass:
        """Logs what is new in the folders of a sweep or a tuning.

        Args:
            group: The sweep or the tuning.
            live: Whether its runs are under way, so that unfinished ones are not interrupted.

        Raises:
            mlflow.exceptions.MlflowException: If MLflow cannot be written to.
        """
        sweep = self._sweeps.get(group.id)
        if sweep is None:
            sweep = _MirroredSweep(self._client, self._experiment_id, self._store, self._address)
            sweep.find(group.id)
            self._sweeps[group.id] = sweep
        return sweep.update(group, live=live)

    def _experiment(self) -> str:
        artifacts = self._address.artifacts
        found = self._client.get_experiment_by_name(_EXPERIMENT)
        if found is None:
            location = str(artifacts) if artifacts else None
            try:
                return str(self._client.create_experiment(_EXPERIMENT, location, _EXPERIMENT_TAGS))
            except MlflowException as error:
                # Another sweep's mirror may have made it on this server just now.
                found = self._client.get_experiment_by_name(_EXPERIMENT)
                if error.error_code != _ALREADY_THERE or found is None:
                    raise
        if (
            self._address.own
            and artifacts
            and Path(found.artifact_location).resolve() != artifacts.resolve()
        ):
            raise StoreError(
                f"the mirror was made when the store lay elsewhere ({found.artifact_location})",
                self._address.repair,
            )
        if found.lifecycle_stage == LifecycleStage.DELETED:
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)


class _MirroredSweep:
    """One sweep's parent run and nested runs."""

    def __init__(
        self, client: MlflowClient, experiment_id: str, store: Store, address: Address
    ) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._store = store
        self._address = address
        self._parent: Run | None = None
        self._logged: tuple[str | None, str] | None = None
        self._report: str | None = None
        self._found: dict[str, list[Run]] = {}
        self._runs: dict[str, MlflowRun] = {}

    def find(self, group_id: str) -> None:
        """Looks up, by their tags, the runs that an earlier process made."""
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id],
                f"tags.`ablate.sweep_id` = '{group_id}'",
                max_results=_PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            for run in page:
                self._check_place(run)
                if key := run.data.tags.get("ablate.key"):
                    self._found.setdefault(key, []).append(run)
                elif self._parent is None:
                    self._parent = run
            token = page.token
            if not token:
                break
        if self._parent:
            tags = self._parent.data.tags
            self._logged = (tags.get("ablate.states"), self._parent.info.status)
            self._report = tags.get("ablate.report")

    def _check_place(self, run: Run) -> None:
        """Makes sure that what is copied to a run stays in the store.

        A store made by others brings their database, which says where each run's files go.

        Raises:
            StoreError: If they would go elsewhere.
        """
        folder = self._address.artifacts
        if not self._address.own or folder is None:
            return
        place = Path(str(run.info.artifact_uri).removeprefix("file://"))
        inside = place.is_absolute() and place.resolve().is_relative_to(folder.resolve())
        if not inside or any(path.is_symlink() for path in place.rglob("*")):
            raise StoreError(
                f"the mirror keeps files of a run outside the store ({shown(place)})",
                self._address.repair,
            )

    def update(self, group: Group, *, live: bool) -> Pass:
        """See ``Mirror.update``."""
        record = group.record
        begun = {folder.key for folder in self._store.runs()}
        # A result without its spec is damaged, and to be named.
        runs = {
            run.key: run
            for run in record.runs
            if run.key in begun or self._store.run(run.key).has_result()
        }
        for key in self._runs.keys() - runs.keys():
            del self._runs[key]  # its folder was removed; the run may be begun again
        problems = []
        specs: dict[str, SpecFile] = {}
        for key in runs.keys() - self._runs.keys():
            try:
                specs[key] = self._store.run(key).spec_file()
            except StoreError as error:
                problems.append(str(error))
        parent = self._parent = self._parent or self._create_parent(group, specs)
        # Committed before anything is copied: no artifacts are of a run that MLflow lacks.
        with transaction(self._client, self._address) as open_transaction:
            for key in [key for key in runs if key in specs]:
                self._runs[key] = self._nested(group, parent, runs[key], specs[key])
                open_transaction.commit_if_due()
        with transaction(self._client, self._address) as open_transaction:
            for key in [key for key, nested in self._runs.items() if not nested.settled]:
                nested, folder = self._runs[key], self._store.run(key)
                try:
                    nested.update(folder, group.run_name(nested.spec, key))
                except (OSError, StoreError) as error:
                    # What was logged of it before stays.
                    problems.append(f"{folder.path} cannot be mirrored: {error}")
                open_transaction.commit_if_due()
        if not live:
            try:
                self._update_report(group, parent)
            except (OSError, UnicodeError) as error:
                problems.append(f"the report of {group.id} cannot be mirrored: {error}")
        self._update_parent(group, parent, live=live)
        return Pass(mirrored=len(self._runs), problems=tuple(problems))

    def _create_parent(self, group: Group, specs: dict[str, SpecFile]) -> Run:
        record = group.record
        first = min((s.provenance.created for s in specs.values()), default=record.updated)
        note = mapping.sweep_note(record.context)
        return self._client.create_run(
            self._experiment_id,
            start_time=mapping.milliseconds(first),
            tags=mapping.sweep_tags(record) | {"mlflow.note.content": note},
            run_name=mapping.sweep_name(record),
        )

    def _nested(
        self, group: Group, parent: Run, run: RecordedRun, spec_file: SpecFile
    ) -> MlflowRun:
        """The run of this folder, found or created.

        A folder that was removed and begun again starts at another time: it is another MLflow run.
        """
        spec = group.spec(run, spec_file)
        params = group.params(spec, run.key)
        start_ms = mapping.milliseconds(spec_file.provenance.created)
        others = self._found.setdefault(run.key, [])
        for other in others:
            if other.info.start_time == start_ms:
                files = files_of(self._client, other.info, self._address)
                return MlflowRun(self._client, other, spec, params, files, is_new=False)
        if self._address.own:
            # On a shared server they may be another store's.
            for other in others:
                delete_models(self._client, self._experiment_id, other.info.run_id)
                self._client.delete_run(other.info.run_id)
            others.clear()
        created = self._client.create_run(
            self._experiment_id,
            start_time=start_ms,
            tags=mapping.run_tags(group.record, run, spec_file.provenance)
            | {"mlflow.parentRunId": parent.info.run_id},
            run_name=group.run_name(spec, run.key),
        )
        others.append(created)
        files = files_of(self._client, created.info, self._address)
        return MlflowRun(self._client, created, spec, params, files, is_new=True)

    def _update_report(self, group: Group, parent: Run) -> None:
        """Copies the report that was left for the parent run, unless MLflow has it."""
        report = read_report(self._store.reports_path / group.id)
        if report is None or report.digest == self._report:
            return
        for path in report.files:
            self._client.log_artifact(parent.info.run_id, str(path))
        # The note and the digest last, in one request: what they promise is there.
        note = mapping.report_note(report.note, group.record.context)
        tags = {"mlflow.note.content": note, "ablate.report": report.digest}
        log(self._client, parent.info.run_id, [], tags)
        self._report = report.digest

    def _update_parent(self, group: Group, parent: Run, *, live: bool) -> None:
        mirrored = [self._runs.get(run.key) for run in group.record.runs]
        counts = Counter((run.state if run else None) or State.NEW for run in mirrored)
        text = ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state])
        status = _sweep_status(counts, live=live)
        if self._logged == (text, status):
            return
        now_ms = mapping.milliseconds(time.time())
        failed = _failed(counts)
        points = [
            mapping.Point("done", counts[State.DONE], now_ms, 0),
            mapping.Point("failed", failed, now_ms, 0),
        ]
        log(self._client, parent.info.run_id, points, {"ablate.states": text})
        ends = [run.ended_ms for run in self._runs.values() if run.ended_ms]
        over = status in ("FINISHED", "FAILED")
        set_status(self._client, parent.info.run_id, status, max(ends) if over and ends else None)
        self._logged = (text, status)


def _sweep_status(counts: Counter[State], *, live: bool) -> str:
    unfinished = counts[State.NEW] + counts[State.INTERRUPTED] + counts[State.RUNNING]
    if counts[State.RUNNING] or (live and unfinished):
        return "RUNNING"
    if unfinished:
        return "KILLED"
    return "FAILED" if _failed(counts) else "FINISHED"


def _failed(counts: Counter[State]) -> int:
    """How many runs have ended without a result that can be used."""
    return counts[State.FAILED] + counts[State.DIVERGED] + counts[State.DAMAGED]
