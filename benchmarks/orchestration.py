"""What a run costs besides its training, as sweeps grow, against other tools that start things.

Our runs do all that real ones do but train: they are planned, get their folders, are taken to
workers by an executor while the display looks on, are claimed there, read their spec and publish a
result; at the end every state is read. Everybody's imports, Ray's start and the making of an MLflow
database are not counted; worker processes and the mirror's process are. A tool that is not
installed is left out.
"""

import argparse
import importlib.util
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
_QUIET = {
    "HYDRA_FULL_ERROR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
}


# Ours -----------------------------------------------------------------------------------------


def publish(folders: Sequence[Path], device: str) -> None:
    """All that a worker does for its runs, but for the training."""
    for path in folders:
        folder = RunFolder(path)
        with folder.claim() as claimed:
            if claimed and folder.result() is None:
                spec = folder.spec_file()
                folder.publish_result(RESULT.model_copy(update={"key": spec.key}))


@contextmanager
def mirror(store: Store, record_id: str) -> Iterator[None]:
    """Mirrors the runs into MLflow meanwhile, as ``ablate run`` does."""
    from ablate import tracking

    context = multiprocessing.get_context("spawn")
    stop, log = context.Event(), store.root / "mirror.log"
    follower = context.Process(
        target=tracking.follow, args=(store.root, [record_id], None, stop, log)
    )
    follower.start()
    try:
        yield
    finally:
        stop.set()
        follower.join()
    if log.stat().st_size:
        raise RuntimeError(log.read_text())


def sweep(count: int, store: Store, *, local: bool, mirrored: bool = False) -> Parts:
    """A whole sweep of ``count`` runs, a tenth of them for each row; seconds of its parts."""
    from ablate.cli.display import Display
    from ablate.executors import InlineExecutor, LocalExecutor
    from ablate.plan import begin, cohorts, make, sweep_runs
    from ablate.registry import Catalogue
    from ablate.spec import NANO_WEIGHTS, Context, DataIdentity

    if mirrored:
        from ablate import tracking

        tracking.sync(store, [])
    clock = Clock()
    catalogue = Catalogue()
    data = DataIdentity(label="no data", digest="0" * 64, train=159, validation=69)
    context = Context(protocol=catalogue.protocol("demo"), data=data, weights=NANO_WEIGHTS)
    runs = sweep_runs(catalogue, "table4", context, range(count // 10))
    plan = make(catalogue.sweep("table4"), context, runs, store)
    clock.lap("plan")
    record = begin(plan, store)
    clock.lap("folders")
    devices = ["cpu"] * WORKERS if local else ["cpu"]
    executor = LocalExecutor(devices, store.logs_path) if local else InlineExecutor("cpu")
    with Display(plan, quiet=False):
        if mirrored:
            with mirror(store, record.id):
                executor.run(cohorts(plan.pending, len(devices)), publish)
                clock.lap("work")
            clock.lap("mirror's rest")
        else:
            executor.run(cohorts(plan.pending, len(devices)), publish)
            clock.lap("work")
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

    task = hydra.main(version_base=None, config_path=None)(lambda config: None)
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
REFERENCE = "ablate, inline"


# Measuring ------------------------------------------------------------------------------------


def measured(name: str, count: int, limit_s: float) -> Parts | None:
    """Seconds by part, in a fresh process and a fresh folder; None if it took too long."""
    # In the system's own folder for such: a socket's path must be short, and Ray's are long.
    with tempfile.TemporaryDirectory(prefix="orch-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, __file__, "--one", name, str(count), folder]
        log = Path(folder, "log")
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env=os.environ | _QUIET,
                cwd=folder,
                start_new_session=True,
            )
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                _end(process)
                return None
        if code:
            raise RuntimeError(f"{name}: {log.read_text()[-2000:]}")
        return json.loads(Path(folder, "answer.json").read_text())


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all that it started, by asking first."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def measure_all(
    names: Sequence[str], counts: Sequence[int], repetitions: int, limit_s: float
) -> dict[tuple[str, int], list[Parts]]:
    """All contenders in turn, again and again, from few runs to many."""
    found: dict[tuple[str, int], list[Parts]] = defaultdict(list)
    for index, count in enumerate(counts):
        fitting = [
            name for name in names if _expected_s(name, counts[:index], count, found) <= limit_s
        ]
        for _ in range(repetitions):
            for name in tuple(fitting):
                parts = measured(name, count, limit_s)
                if parts is None:
                    fitting.remove(name)
                    continue
                found[name, count].append(parts)
                sys.stderr.write(f"{name}, {count} runs: {sum(parts.values()):.2f} s\n")
    return found


def _expected_s(
    name: str, smaller: Sequence[int], count: int, found: dict[tuple[str, int], list[Parts]]
) -> float:
    """What ``count`` runs will take, judged by the two largest sweeps before; at least."""
    if not smaller:
        return 0.0
    if not found[name, smaller[-1]]:
        return float("inf")
    spent = [_median_s(found[name, each]) for each in smaller[-2:]]
    if len(spent) == 1:
        # Of the first sweep, more than half may be what is there only once.
        return spent[0] / smaller[0] * count / 3
    slope = (spent[1] - spent[0]) / (smaller[-1] - smaller[-2])
    return spent[1] + slope * (count - smaller[-1])


def _median_s(repetitions: Sequence[Parts]) -> float:
    return statistics.median(sum(parts.values()) for parts in repetitions)


def print_table(
    names: Sequence[str], counts: Sequence[int], found: dict[tuple[str, int], list[Parts]]
) -> None:
    """Milliseconds for each run, and how many times ours."""
    head = " | ".join(f"{count:,} runs" for count in counts)
    lines = [f"| ms for each run | {head} |", "| --- |" + " --: |" * len(counts)]
    for name in names:
        cells = []
        for count in counts:
            spent, ours = found[name, count], found[REFERENCE, count]
            if not spent:
                cells.append("—")
                continue
            ratio = statistics.median(
                sum(a.values()) / sum(b.values()) for a, b in zip(spent, ours, strict=False)
            )
            each = [1000 * sum(parts.values()) / count for parts in spent]
            cells.append(
                f"{statistics.median(each):.2f} ({min(each):.2f}…{max(each):.2f}) · {ratio:.2f}×"
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")


def print_parts(
    names: Sequence[str], counts: Sequence[int], found: dict[tuple[str, int], list[Parts]]
) -> None:
    """Where our own time goes."""
    columns = ("plan", "folders", "work", "mirror's rest", "end")
    lines = [
        f"| ms for each run | runs | {' | '.join(columns)} |",
        "| --- | --: |" + " --: |" * len(columns),
    ]
    for name in names:
        if not name.startswith("ablate"):
            continue
        for count in counts:
            if spent := found[name, count]:
                cells = [
                    f"{1000 * statistics.median(parts[column] for parts in spent) / count:.3f}"
                    if column in spent[0]
                    else ""
                    for column in columns
                ]
                lines.append(f"| {name} | {count:,} | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Reads the command line; measures and prints, or is one measurement itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--limit-s", type=float, default=120.0, help="leave out what would take longer"
    )
    parser.add_argument("--only", default="", help="contenders whose name begins so")
    parser.add_argument("--one", nargs=3, metavar=("NAME", "RUNS", "FOLDER"))
    asked = parser.parse_args()
    if asked.one:
        name, count, folder = asked.one
        parts = CONTENDERS[name][0](int(count), Path(folder))
        Path(folder, "answer.json").write_text(json.dumps(parts))
        return
    if any(count % 10 for count in asked.runs):
        parser.error("the sweep has ten rows: --runs takes multiples of ten")
    chosen = [name for name in CONTENDERS if name.startswith(asked.only)]
    names = [name for name in chosen if importlib.util.find_spec(CONTENDERS[name][1])]
    counts = sorted(asked.runs)
    load = os.getloadavg()[0]
    found = measure_all(names, counts, asked.repetitions, asked.limit_s)
    cores = len(os.sched_getaffinity(0))
    sys.stdout.write(f"{cores} cores, load {load:.1f} at the start, {os.getloadavg()[0]:.1f} at ")
    sys.stdout.write(f"the end. In brackets the range, then how many times {REFERENCE}; —: would ")
    sys.stdout.write(f"have taken more than {asked.limit_s:.0f} s.\n\n")
    print_table(names, counts, found)
    sys.stdout.write("\n")
    print_parts(names, counts, found)
    if missing := [name for name in chosen if name not in names]:
        sys.stdout.write(f"\nNot installed: {'; '.join(missing)}.\n")


if __name__ == "__main__":
    main()
