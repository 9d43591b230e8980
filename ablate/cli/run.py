"""``ablate run``: trains what a sweep still lacks."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ablate import tracking
from ablate.cli import gate, options
from ablate.cli.console import TableFormat, err, out
from ablate.cli.display import Display, duration
from ablate.cli.plan import print_plan
from ablate.cli.resolve import Request, resolve
from ablate.executors import isolated_children, run_cohorts, warm_up
from ablate.plan import Plan, create_run_folders, group_into_cohorts, resnet_files
from ablate.runs import State, Store
from ablate.spec import BACKBONES

# How long the mirror may take for its last pass; `ablate sync` completes what it misses.
_MIRROR_PATIENCE_S = 120
# Each has an interpreter and torch of its own, most of a gigabyte.
_SMALL_WORKERS = 4


class ExecutorName(StrEnum):
    """Who takes cohorts to devices."""

    INLINE = "inline"
    LOCAL = "local"


def run(
    grid: options.Grid,
    protocol: options.ProtocolName = None,
    data: options.DataPath = None,
    checkpoint: options.CheckpointPath = None,
    backbone_weights: options.BackboneWeights = None,
    variant: options.VariantNames = None,
    seeds: options.Seeds = None,
    device: options.Devices = None,
    executor: Annotated[
        ExecutorName,
        typer.Option(
            envvar="ABLATE_EXECUTOR",
            help="local: a worker process for each device; inline: this very process.",
        ),
    ] = ExecutorName.LOCAL,
    cohort_size: Annotated[
        int | None,
        typer.Option(
            envvar="ABLATE_COHORT_SIZE",
            min=1,
            help="How many runs a worker trains together at most, over one trunk. "
            "[default: all of a seed]",
            show_default=False,
        ),
    ] = None,
    store: options.StorePath = options.DEFAULT_STORE,
    set_: options.Overrides = None,
    tracking_uri: options.TrackingUri = None,
    track: Annotated[
        bool, typer.Option(envvar="ABLATE_TRACK", help="Mirror the runs into MLflow meanwhile.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the plan, as `ablate plan` does.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", envvar="ABLATE_QUIET", help="Print only errors.")
    ] = False,
) -> None:
    """Train every run of the sweep that is not done yet. Stopped or killed, it continues."""
    request = Request(
        grid, protocol, data, checkpoint, backbone_weights or (), variant or (), seeds, set_ or ()
    )
    opened = Store(store)
    planned = resolve(request, opened)
    if dry_run:
        print_plan(planned, device or (), TableFormat.TABLE)
        return
    if planned.pending:
        warm_up()
    devices = _devices(device or (), planned)
    if not quiet:
        _say_what(request, planned, devices)
    if planned.pending:
        gate.check(planned)
    _note_sources(request, planned, opened)
    record = create_run_folders(planned, opened)
    started = time.monotonic()
    if planned.pending:
        mirror = _mirror(opened, record.id, tracking_uri) if track else nullcontext()
        cohorts = group_into_cohorts(planned.pending, len(devices), cohort_size)
        with mirror, Display(planned, quiet=quiet):
            run_cohorts(executor, cohorts, devices=devices, logs=opened.logs_path)
    _conclude(planned, time.monotonic() - started, store, quiet=quiet)


def _devices(names: Sequence[str], planned: Plan) -> list[str]:
    """The named devices, or all GPUs, or else the CPU."""
    if not names and not _has_gpu_driver():
        # SAM-nano trains on one thread: as many workers as cores, within reason.
        small = BACKBONES[planned.context.weights.backbone].is_small
        return ["cpu"] * (min(len(os.sched_getaffinity(0)), _SMALL_WORKERS) if small else 1)
    if names and all(name == "cpu" for name in names):
        return list(names)
    # Only now: importing torch takes seconds.
    from ablate.train import available_devices, check_device

    for name in names:
        check_device(name)
    return list(names) or available_devices()


def _has_gpu_driver() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidiactl").exists()


def _say_what(request: Request, planned: Plan, devices: Sequence[str]) -> None:
    """The first lines: what runs, on what, and what it is not."""
    context = planned.context
    if request.demo_by_default:
        out.print(
            "[bold]demo[/]: neither data nor checkpoint is configured, so this trains SAM-nano on "
            "generated scenes.\n"
            "For the paper's own experiment: --data BIJIE --checkpoint sam_vit_l_0b3195.pth"
        )
    if context.watermark:
        out.print(f"[yellow]{context.watermark}[/]")
    out.print(
        f"[bold]{planned.sweep.title}[/] · protocol {context.protocol.name} · "
        f"{context.data.label}: {context.data.train} to train, {context.data.validation} to "
        f"validate · {context.weights.label} · {_counted(devices)}"
    )


def _counted(devices: Sequence[str]) -> str:
    """``cuda:0, cuda:1`` or ``2 × cpu``."""
    counts = {device: devices.count(device) for device in devices}
    return ", ".join(f"{n} × {device}" if n > 1 else device for device, n in counts.items())


def _note_sources(request: Request, planned: Plan, store: Store) -> None:
    """Notes where data and weights lie."""
    context = planned.context
    if request.data is not None:
        store.remember_source(context.data.digest, request.data)
    if request.checkpoint is not None:
        store.remember_source(context.weights.sha256, request.checkpoint)
    for resnet, path in resnet_files(request.backbone_weights).items():
        store.remember_source(context.resnets[resnet].sha256, path)


@contextmanager
def _mirror(store: Store, record_id: str, uri: str | None) -> Iterator[None]:
    """While this is open, a process of its own mirrors the runs into MLflow."""
    context = multiprocessing.get_context("spawn")
    with isolated_children():
        stop = context.Event()
    log = store.logs_path / f"mlflow-{time.time_ns()}.log"
    process = context.Process(
        target=tracking.follow,
        args=(store.root, [record_id], uri, stop, log),
        name="ablate-mirror",
        daemon=True,
    )
    with isolated_children():
        process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(_MIRROR_PATIENCE_S)
        if process.is_alive():
            process.terminate()
            err.print("MLflow is behind; `ablate sync` completes it")
        elif log.exists() and log.stat().st_size:
            err.print(f"MLflow had trouble, see {log}; `ablate sync` completes it", soft_wrap=True)


def _conclude(planned: Plan, spent_s: float, store: Path, *, quiet: bool) -> None:
    """Says how it ended and what to do next; leaves with 1 where some run has failed."""
    states = [run.folder.state() for run in planned.runs]
    done = states.count(State.DONE)
    for run, state in zip(planned.runs, states, strict=True):
        failure = run.folder.failure()
        if state in (State.FAILED, State.DIVERGED) and failure:
            name = f"{run.spec.name} seed {run.spec.seed}"
            err.print(f"[bold red]{state.value}:[/] {name}: ", end="")
            err.print(
                f"{failure.message} ({run.folder.path / 'failure.json'})",
                markup=False,
                soft_wrap=True,
            )
    if not quiet:
        if planned.pending:
            out.print(f"{done} of {len(states)} runs done, after {duration(spent_s)}")
        elif done == len(states):
            out.print(f"nothing to train: all {done} runs are done")
        else:
            out.print(f"nothing to train: {done} of {len(states)} runs are done")
        if elsewhere := states.count(State.RUNNING):
            out.print(f"{elsewhere} being trained by another process")
        where = "" if store == options.DEFAULT_STORE else f" --store {store}"
        out.print(
            f"next: [bold]ablate report --grid {planned.sweep.name}{where}[/] · "
            f"[bold]ablate ui{where}[/]",
            soft_wrap=True,
        )
    if any(state in (State.FAILED, State.DIVERGED) for state in states):
        raise typer.Exit(1)
