"""``Study``: a sweep in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate import study as steps
from ablate.errors import StoreError
from ablate.runs import DEFAULT_STORE, Store
from ablate.study.cancel import PATIENCE_S
from ablate.study.request import (
    DEFAULT_EXECUTOR,
    DEFAULT_SAMPLER,
    DEFAULT_TRIALS,
    Request,
    checked_retry,
    checked_seeds,
    checked_splits,
    expanded,
)

if TYPE_CHECKING:
    from ablate.executors import Tell
    from ablate.predict import MapSettings, SceneOutcome
    from ablate.report.claims_check import ClaimsCheck
    from ablate.report.decision_model import Decision
    from ablate.report.elsewhere_model import Elsewhere
    from ablate.report.verification_model import Verification
    from ablate.runs import SweepRecord
    from ablate.study.cancel import CancelledDriver
    from ablate.study.plan import SweepPlan
    from ablate.study.report import SweepReport
    from ablate.study.run import Outcome
    from ablate.study.status import SweepStatus
    from ablate.study.tune import TuningOutcome, Watcher
    from ablate.study.tuning_plan import TuningPlan
    from ablate.study.watching import Progress


class Study:
    """A sweep, and what it is run on.

    Nothing is read or started before ``plan``, ``run`` or ``report`` is called; all of them raise
    the exceptions of ``ablate.errors`` and print nothing.

    Args:
        sweep: The sweep's name: a file of ``sweeps/``, such as ``table4``.
        protocol: The protocol's name; None: the sweep's own, or the demo where neither data nor
            checkpoint is given.
        data: The data set's folder.
        checkpoint: SAM's weights.
        backbone_weights: Files of the weights of the CNN baselines' ResNets.
        variants: Only these rows; empty: all.
        seeds: The seeds; None: the sweep's own.
        splits: On how many splits each row is trained with each seed, the first of them the
            protocol's own; None: the sweep's own number. ``tune`` and ``plan_tuning`` stay on the
            protocol's own split.
        overrides: ``KEY=VALUE`` for the protocol, such as ``epochs=3``.
        store: The folder that holds the runs.
        devices: Where to train, one worker for each; empty: all GPUs, or else the CPU.
        executor: The executor's name.
        executor_settings: Its settings, by name.
        cohort_size: How many runs are trained together at most; None: all that can be.
        wait: Whether to wait for runs that another process trains; what it drops is taken over.
        retry: Which runs that could not go on in an earlier start are tried again: ``failed`` or
            ``none``. A diverged one is not: the same seed would diverge again.
        keep_going: Whether the other runs go on after one has failed; if not, nothing new starts,
            and what is being trained saves its state.
        detach: Whether to leave the jobs to the cluster once they are submitted. ``status`` says
            what they are at; ``run`` without this waits for them, and completes what a driver does.
        track: Whether to mirror the runs into MLflow.
        tracking_uri: MLflow's server; None: a database in the store.

    Raises:
        BadInput: If the seeds are not different whole numbers from 0 to 2**32 - 1, or the number of
            splits is out of range, or ``retry`` is another word.
    """

    def __init__(
        self,
        sweep: str,
        *,
        protocol: str | None = None,
        data: str | Path | None = None,
        checkpoint: str | Path | None = None,
        backbone_weights: Sequence[str | Path] = (),
        variants: Sequence[str] = (),
        seeds: Sequence[int] | None = None,
        splits: int | None = None,
        overrides: Sequence[str] = (),
        store: str | Path = DEFAULT_STORE,
        devices: Sequence[str] = (),
        executor: str = DEFAULT_EXECUTOR,
        executor_settings: Mapping[str, Any] | None = None,
        cohort_size: int | None = None,
        wait: bool = True,
        retry: str = "failed",
        keep_going: bool = True,
        detach: bool = False,
        track: bool = True,
        tracking_uri: str | None = None,
    ) -> None:
        """Reads nothing yet."""
        self.request = Request(
            sweep=sweep,
            protocol=protocol,
            data=None if data is None else expanded(data),
            checkpoint=None if checkpoint is None else expanded(checkpoint),
            backbone_weights=tuple(expanded(path) for path in backbone_weights),
            variants=tuple(variants),
            seeds=None if seeds is None else checked_seeds(seeds),
            splits=None if splits is None else checked_splits(splits),
            overrides=tuple(overrides),
            store=expanded(store),
            devices=tuple(devices),
            executor=executor,
            executor_settings=dict(executor_settings or {}),
            cohort_size=cohort_size,
            wait=wait,
            retry=checked_retry(retry),
            keep_going=keep_going,
            detach=detach,
            track=track,
            tracking_uri=tracking_uri,
        )

    def plan(self) -> SweepPlan:
        """What would run; starts and writes nothing.

        Raises:
            BadInput: If a name, a path or a file is wrong, or data, weights or a device are
                missing.
        """
        return steps.plan_sweep(self.request)

    def run(self, progress: Progress | None = None, tell: Tell = lambda notice: None) -> Outcome:
        """Trains every run that is not done yet.

        Args:
            progress: Called from a thread with the state of every run.
            tell: Called with one line on what jobs of a cluster wait for, or None.

        Raises:
            BadInput: As ``plan``, or if a variant is vacuous; nothing was started.
            Interrupted: If a stop was requested; the state is saved.
        """
        steps.expect_training()
        return steps.run_sweep(steps.plan_sweep(self.request), progress, tell)

    def plan_tuning(
        self,
        *,
        trials: int = DEFAULT_TRIALS,
        sampler: str = DEFAULT_SAMPLER,
        sampler_seed: int = 0,
        storage: str | None = None,
    ) -> TuningPlan:
        """What ``tune`` would try; starts and writes nothing. See ``tune``.

        Raises:
            BadInput: As ``tune``.
        """
        return steps.plan_tuning(self.request, trials, sampler, sampler_seed, storage)

    def tune(
        self,
        progress: Watcher | None = None,
        tell: Tell = lambda notice: None,
        *,
        trials: int = DEFAULT_TRIALS,
        sampler: str = DEFAULT_SAMPLER,
        sampler_seed: int = 0,
        storage: str | None = None,
    ) -> TuningOutcome:
        """Tries settings for every row on its training images, and trains each row's best anew.

        Args:
            progress: Called from a thread with the state of every run and the best so far.
            tell: Called with one line on what jobs of a cluster wait for, or None.
            trials: Settings that are tried for each row.
            sampler: Where settings come from: ``qmc``, ``random``, ``tpe`` or ``gp``.
            sampler_seed: The seed of their sequence.
            storage: The URL of a database for Optuna's studies; None: a file in the store.

        Raises:
            BadInput: As ``run``, or if the sweep does not say what to tune; nothing was started.
            Interrupted: If a stop was requested; the state is saved.
        """
        steps.expect_training()
        planned = steps.plan_tuning(self.request, trials, sampler, sampler_seed, storage)
        return steps.tune_sweep(planned, progress, tell)

    def cancel(self, patience_s: float = PATIENCE_S) -> tuple[CancelledDriver, ...]:
        """Asks the processes that train or tune this very sweep to save their state and to end.

        Args:
            patience_s: How long to wait until they have.

        Returns:
            Those that were asked; empty where none trains.

        Raises:
            StoreError: If it was never started in the store.
        """
        record, store = self._start()
        return steps.cancel_record(record.id, store, patience_s)

    def status(self) -> SweepStatus:
        """What every run of this very sweep is at.

        Raises:
            StoreError: If it was never started in the store.
        """
        record, store = self._start()
        return steps.status_of(record, store)

    def plan_decision(self) -> Decision:
        """How many repeats and device hours decide each claim of this very sweep. Writes nothing.

        Raises:
            BadInput: If the sweep makes no claims.
            StoreError: If it was never started in the store.
        """
        record, store = self._start()
        return steps.plan_decision(record, store)

    def check(self) -> ClaimsCheck:
        """Whether the runs of this very sweep support its claims. Writes nothing.

        Raises:
            BadInput: If the sweep makes no claims.
            StoreError: If it was never started in the store.
        """
        record, store = self._start()
        return steps.check_claims(record, store)

    def report(self) -> SweepReport:
        """The tables of this very sweep: of its protocol, data and weights.

        Raises:
            StoreError: If it was never started in the store.
        """
        record, store = self._start()
        return steps.report_sweep(record, store)

    def verify(self) -> Verification:
        """Recomputes every number of this very sweep's runs and of its report from the raw pixels.

        Raises:
            StoreError: If it was never started in the store.
        """
        record, store = self._start()
        return steps.verify_sweep(record, store)

    def bundle(self, path: str | Path, *, weights: bool = False) -> SweepReport:
        """Packs this very sweep into an archive that others can check with ``verify_bundle``.

        Args:
            path: The archive to write.
            weights: Whether the trained weights are packed too.

        Returns:
            The report in the bundle.

        Raises:
            BadInput: If the path is a folder.
            StoreError: If it was never started in the store, or a file says what the raw pixels
                do not give.
        """
        record, store = self._start()
        return steps.write_bundle(record, store, expanded(path), weights=weights)

    def export(
        self, row: str, folder: str | Path, *, onnx: bool = False, merged: bool = False
    ) -> None:
        """Writes a trained row into a new folder: weights, specs and model card.

        Args:
            row: The row, by the variant's name; of several seeds the first is exported.
            folder: The folder to make, which ``ablate.load`` reads.
            onnx: Whether the whole model is written as an ONNX graph, too.
            merged: Whether it is written as a state dict in SAM's own layout, too.

        Raises:
            BadInput: If there is no such row, the folder exists, or the row has no such form.
            StoreError: If no run of it is finished, or its files are damaged.
        """
        record, store = self._start()
        trained = steps.trained_row(record, store, row)
        steps.export_row(trained, expanded(folder), onnx=onnx, merged=merged)

    def predict(
        self,
        row: str,
        scenes: Sequence[str | Path],
        out: str | Path,
        *,
        settings: MapSettings | None = None,
    ) -> list[SceneOutcome]:
        """Makes maps of scenes with all finished runs of a row, on the devices.

        Args:
            row: The row, by the variant's name.
            scenes: Rasters, photographs, and folders of them.
            out: The folder of the maps.
            settings: How they are made; see ``ablate.predict.MapSettings``.

        Raises:
            BadInput: If there is no such row, or an input or the folder cannot be used.
            StoreError: If no run of it is finished, or its files are damaged.
        """
        from ablate.predict import MapSettings

        record, store = self._start()
        return steps.predict_row(
            steps.trained_row(record, store, row),
            [expanded(path) for path in scenes],
            expanded(out),
            settings or MapSettings(),
            checkpoint=self.request.checkpoint,
            devices=steps.chosen_devices(self.request.devices),
        )

    def evaluate(
        self, data: Sequence[str | Path], rows: Sequence[str] = (), overrides: Sequence[str] = ()
    ) -> Elsewhere:
        """Scores trained rows on other data sets, on the first of the devices.

        What was scored before is not computed again.

        Args:
            data: Folders of data sets; all images of each are scored.
            rows: By the variants' names; empty: all trained rows.
            overrides: ``KEY=VALUE`` of the protocol's ``data``: how the folders are laid out.

        Raises:
            BadInput: If there is no such row, or data, weights or the device cannot be used.
            StoreError: If no run is finished, or its files are damaged.
        """
        record, store = self._start()
        return steps.evaluate_rows(
            steps.rows_of(record, store, rows),
            [expanded(path) for path in data],
            overrides=overrides,
            checkpoint=self.request.checkpoint,
            device=steps.chosen_device(self.request.devices[:1]),
        )

    def _start(self) -> tuple[SweepRecord, Store]:
        """The start of this very sweep: of its protocol, data and weights."""
        from ablate.study.resolve import resolve

        store = Store(self.request.store)
        context = resolve(replace(self.request, splits=1), store).context
        for record in store.sweep_records(self.request.sweep, problems=[]):
            if record.context.id == context.id:
                return record, store
        raise StoreError(
            f"sweep {self.request.sweep} was never started in {store.root} with protocol "
            f"{context.protocol.label}, {context.data.label} and {context.weights.label}",
            "run it first",
        )
