"""What ``orchestration.py`` measures: our own sweeps of runs that do not train, and other tools.

Each contender takes how many runs it shall start and an empty folder, and says how many seconds
its parts took. Other tools are imported where they are used, since each may be missing.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from ablate.runs import Machine, Parameters, Result, RunFolder, State, Store

Parts = dict[str, float]

WORKERS = min(len(os.sched_getaffinity(0)), 4)
RESULT = Result(
    key="",
    epoch=1,
    epochs=1,
    steps=1,
    metrics={"miou": 0.5, "val_loss": 0.7, "f1": 0.4},
    confusion={"tp": 1, "fp": 1, "fn": 1, "tn": 1},
    parameters=Parameters(total=1, trainable=1, adapter=1, sites=1),
    weights_sha256="0" * 64,
    machine=Machine(device="cpu", device_name="none", threads=1, precision="float32", torch="0"),
    finished=0.0,
    train_s=0.0,
)


# Ours -----------------------------------------------------------------------------------------


def publish(folders: Sequence[Path], device: str) -> None:
    """All that a worker does for its runs, but for the training."""
    for path in folders:
        folder = RunFolder(path)
        with folder.claim() as claimed:
            if claimed and folder.result() is None:
                spec = folder.spec_file()
                folder.write_confusions(["image"], [(1, 1, 1, 1)])
                folder.publish_result(RESULT.model_copy(update={"key": spec.key}))


def sweep(count: int, store: Store, *, local: bool, mirrored: bool = False) -> Parts:
    """A whole sweep of ``count`` runs, a tenth of them for each row; seconds of its parts."""
    from ablate.cli.display import Display
    from ablate.executors import call_with_torch, run_cohorts
    from ablate.plan import build_plan, create_run_folders, group_into_cohorts, sweep_runs
    from ablate.registry import Catalogue
    from ablate.spec import NANO_WEIGHTS, Context, DataIdentity
    from ablate.study.mirror import mirror
    from ablate.study.watching import watching

    if mirrored:
        from ablate import tracking

        tracking.sync(store, [])
    if local:
        # Imports are not counted, here as for others.
        call_with_torch("os:getpid")
    clock = Clock()
    catalogue = Catalogue()
    data = DataIdentity(label="no data", digest="0" * 64, train=159, validation=69)
    context = Context(protocol=catalogue.protocol("demo"), data=data, weights=NANO_WEIGHTS)
    runs = sweep_runs(
        catalogue.rows("table4", context.protocol.backbone), context, range(count // 10)
    )
    plan = build_plan(catalogue.sweep("table4"), context, runs, store)
    clock.lap("plan")
    record = create_run_folders(plan, store)
    clock.lap("folders")
    devices = ["cpu"] * WORKERS if local else ["cpu"]
    cohorts = group_into_cohorts(plan.pending, len(devices))
    with Display() as display, watching(plan.runs, display):
        with mirror(store, [record.id], None) if mirrored else nullcontext([]) as notes:
            run_cohorts(
                "local" if local else "inline",
                cohorts,
                devices=devices,
                logs=store.logs_path,
                work=f"{__name__}:publish",
            )
            clock.lap("work")
        if notes:
            # A mirror that is minutes behind at the end is not waited for: users call this.
            tracking.sync(store, [record])
        if mirrored:
            clock.lap("mirror's rest")
    states = [run.folder.state() for run in plan.runs]
    clock.lap("end")
    if states != [State.DONE] * count:
        raise RuntimeError("some runs are not done")
    return clock.parts


class Clock:
    """Seconds between calls."""

    def __init__(self) -> None:
        """Starts."""
        self.parts: Parts = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Gives the time since the last call a name."""
        now = time.perf_counter()
        self.parts[name] = now - self._last
        self._last = now


def ours_inline(count: int, folder: Path) -> Parts:
    """In this process."""
    return sweep(count, Store(folder), local=False)


def ours_local(count: int, folder: Path) -> Parts:
    """In worker processes."""
    return sweep(count, Store(folder), local=True)


def ours_mirrored(count: int, folder: Path) -> Parts:
    """In worker processes, with the mirror, until MLflow knows all."""
    return sweep(count, Store(folder), local=True, mirrored=True)


# Others ---------------------------------------------------------------------------------------


def optuna_journal(count: int, folder: Path) -> Parts:
    """Optuna with its journal file."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return _optuna(count, lambda: JournalStorage(JournalFileBackend(str(folder / "journal.log"))))


def optuna_sqlite(count: int, folder: Path) -> Parts:
    """Optuna with sqlite."""
    return _optuna(count, lambda: f"sqlite:///{folder}/optuna.db")


def _optuna(count: int, storage: Callable[[], object]) -> Parts:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    clock = Clock()
    study = optuna.create_study(storage=storage())
    study.optimize(lambda trial: 0.0, n_trials=count)
    clock.lap("all")
    return clock.parts


def hydra_multirun(count: int, folder: Path) -> Parts:
    """Hydra's basic launcher: one job after the other, in this process."""
    import hydra

    # Without a folder it would look for configurations beside this file, as in a package.
    task = hydra.main(version_base=None, config_path=str(folder))(lambda config: None)
    sys.argv = ["noop", "-m", f"+seed=range(0,{count})", f"hydra.sweep.dir={folder}/multirun"]
    clock = Clock()
    task()
    clock.lap("all")
    return clock.parts


def ray_task(count: int, folder: Path) -> Parts:
    """Ray without anything on top: nothing is written down."""
    ray = _ray(folder)
    task = ray.remote(lambda: None)
    ray.get(task.remote())
    clock = Clock()
    ray.get([task.remote() for _ in range(count)])
    clock.lap("all")
    return clock.parts


def ray_tune(count: int, folder: Path) -> Parts:
    """Ray Tune over a grid."""
    _ray(folder)
    from ray import tune

    tuner = tune.Tuner(
        _tune_trial,
        param_space={"seed": tune.grid_search(list(range(count)))},
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    )
    clock = Clock()
    tuner.fit()
    clock.lap("all")
    return clock.parts


def _tune_trial(config: dict[str, int]) -> None:
    from ray import tune

    tune.report({"miou": 0.5})


def _ray(folder: Path):
    import ray

    ray.init(
        address="local",
        num_cpus=WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _node_ip_address="127.0.0.1",
        _temp_dir=str(folder / "ray"),
    )
    return ray


def plain_mlflow(count: int, folder: Path) -> Parts:
    """A run with three metrics for each no-op, straight into MLflow's sqlite store."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("noop", str(folder / "artifacts"))
    mlflow.set_experiment("noop")
    clock = Clock()
    for _ in range(count):
        with mlflow.start_run():
            mlflow.log_metrics({"miou": 0.5, "val_loss": 0.7, "f1": 0.4})
    clock.lap("all")
    return clock.parts


# Name: what measures it, and the package that it needs.
CONTENDERS: dict[str, tuple[Callable[[int, Path], Parts], str]] = {
    "ablate, inline": (ours_inline, "ablate"),
    f"ablate, {WORKERS} local workers": (ours_local, "ablate"),
    f"ablate, {WORKERS} local workers, MLflow mirror": (ours_mirrored, "mlflow"),
    "Optuna, journal file": (optuna_journal, "optuna"),
    "Optuna, sqlite": (optuna_sqlite, "optuna"),
    "Hydra, basic multirun": (hydra_multirun, "hydra"),
    f"Ray, bare task, {WORKERS} workers": (ray_task, "ray"),
    f"Ray Tune, {WORKERS} workers": (ray_tune, "ray"),
    "MLflow alone, 3 metrics": (plain_mlflow, "mlflow"),
}
OURS = "ablate"
REFERENCE = "ablate, inline"
