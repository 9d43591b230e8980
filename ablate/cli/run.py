"""``ablate run``: trains what a sweep still lacks."""

import itertools
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ablate import tracking
from ablate.cli import options
from ablate.cli.console import err, out
from ablate.cli.display import Display, duration
from ablate.cli.lines import TableFormat
from ablate.cli.plan import print_choice, print_plan, print_ranges, setup_line
from ablate.errors import ExitCode
from ablate.runs import State
from ablate.study import (
    DEFAULT_EXECUTOR,
    EndedRun,
    Outcome,
    Study,
    SweepPlan,
    expect_training,
    run_sweep,
)

# So many are repeated in a line.
_MOST_SEEDS = 10


def run(
    context: typer.Context,
    grid: options.Grid,
    protocol: options.ProtocolName = None,
    data: options.DataPath = None,
    checkpoint: options.CheckpointPath = None,
    backbone_weights: options.BackboneWeights = None,
    variant: options.VariantNames = None,
    seeds: options.Seeds = None,
    splits: options.Splits = None,
    device: options.Devices = None,
    executor: options.ExecutorName = DEFAULT_EXECUTOR,
    ray_address: options.RayAddress = None,
    cohort_size: options.CohortSize = None,
    store: options.StorePath = options.DEFAULT_STORE,
    set_: options.Overrides = None,
    tracking_uri: options.TrackingUri = None,
    track: options.Track = True,
    wait: Annotated[
        bool,
        typer.Option(
            envvar="ABLATE_WAIT",
            help="Wait for runs that another process trains, and take over what it drops.",
        ),
    ] = True,
    retry: options.Retry = "failed",
    keep_going: options.KeepGoing = True,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach/--no-detach",
            envvar="ABLATE_DETACH",
            help="Submit the jobs to the cluster and leave; the same command with --no-detach "
            "waits for them.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the plan, as `ablate plan` does.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Train every run of the sweep that is not done yet. Stopped or killed, it continues."""
    study = Study(
        grid,
        protocol=protocol,
        data=data,
        checkpoint=checkpoint,
        backbone_weights=backbone_weights or (),
        variants=variant or (),
        seeds=options.parse_seeds(seeds),
        splits=splits,
        overrides=set_ or (),
        store=store,
        devices=device or (),
        executor=executor,
        executor_settings=options.settings_of_executor(context, executor, ray_address),
        cohort_size=cohort_size,
        wait=wait,
        retry=retry,
        keep_going=keep_going,
        detach=detach,
        track=track,
        tracking_uri=tracking_uri,
    )
    if not dry_run:
        expect_training()
    planned = study.plan()
    if dry_run:
        print_plan(planned, TableFormat.TABLE)
        return
    if quiet:
        outcome = run_sweep(planned)
    else:
        print_header(planned)
        if detach:
            outcome = run_sweep(planned)
        else:
            _print_elsewhere(planned, wait=wait)
            with Display() as display:
                outcome = run_sweep(planned, display, display.tell)
    if outcome.is_detached:
        for note in outcome.notes:
            err.print(note, soft_wrap=True)
        if not quiet:
            _print_way_back(executor)
        return
    print_failures(outcome.failed, has_splits=len(planned.plan.contexts) > 1)
    print_ways_on(outcome.failed, planned.seeds, is_cut_short=outcome.is_cut_short)
    for note in outcome.notes:
        err.print(note, soft_wrap=True)
    if not quiet:
        _print_conclusion(outcome)
        print_next_steps(grid, store)
    if outcome.failed:
        raise typer.Exit(ExitCode.RUN_FAILED)
    if outcome.count(State.DONE) < len(outcome.runs):
        raise typer.Exit(ExitCode.OPEN)


def print_header(planned: SweepPlan) -> None:
    """The first lines: what runs, on what, and what it is not."""
    print_choice(planned)
    if watermark := planned.plan.context.watermark:
        out.print(watermark, style="yellow", soft_wrap=True)
    title = Text(planned.plan.sweep.title, style="bold")
    out.print(Text.assemble(title, " · ", setup_line(planned)), soft_wrap=True)
    print_ranges(planned)


def _print_elsewhere(planned: SweepPlan, *, wait: bool) -> None:
    """What another process trains, and whether it is waited for."""
    if count := len(planned.elsewhere):
        runs, are = ("run", "is") if count == 1 else ("runs", "are")
        what = f"{count} {runs} {are} being trained by another process"
        then = f"{'it is' if count == 1 else 'they are'} waited for (--no-wait leaves them)"
        out.print(f"{what}; {then}" if wait else what, soft_wrap=True)


def print_failures(failed: Sequence[EndedRun], *, has_splits: bool = False) -> None:
    """Why each of these runs could not go on."""
    for run in failed:
        why = run.failure.message if run.failure else "without a cause"
        name = f"{run.name} split {run.split}" if has_splits else run.name
        err.print(
            Text.assemble(
                (f"{run.state.value}:", "bold red"),
                f" {name} seed {run.seed}: {why} ({run.folder.path / 'failure.json'})",
            ),
            soft_wrap=True,
        )


def print_ways_on(failed: Sequence[EndedRun], seeds: Sequence[int], *, is_cut_short: bool) -> None:
    """What to do about runs that could not go on."""
    if any(run.state is State.DIVERGED for run in failed):
        unused = next(seed for seed in itertools.count() if seed not in seeds)
        given = [*seeds, unused] if len(seeds) < _MOST_SEEDS else [unused]
        err.print(
            "a diverged run is left alone, since the same seed would diverge again; add another "
            f"seed: --seeds {','.join(map(str, given))}",
            soft_wrap=True,
        )
    if is_cut_short:
        err.print(
            "stopped after the first failure, with the state of every run saved; the same command "
            "continues, with --keep-going also after failures",
            soft_wrap=True,
        )


def _print_way_back(executor: str) -> None:
    """How to come back to a sweep that was left to a cluster."""
    out.print(
        f"the jobs are left to {executor}: `ablate status` shows them, `ablate cancel` stops them, "
        "the same command with --no-detach waits for them, `ablate sync` updates MLflow",
        soft_wrap=True,
    )


def _print_conclusion(outcome: Outcome) -> None:
    done, runs = outcome.count(State.DONE), len(outcome.runs)
    if outcome.pending:
        out.print(f"{done} of {runs} runs done, after {duration(outcome.spent_s)}")
    elif done == runs:
        out.print(f"nothing to train: all {done} runs are done")
    else:
        out.print(f"nothing to train: {done} of {runs} runs are done")
    if elsewhere := outcome.count(State.RUNNING):
        out.print(f"{elsewhere} being trained by another process")


def print_next_steps(grid: str, store: Path) -> None:
    """Commands that can be pasted into a shell."""
    where = "" if store == options.DEFAULT_STORE else f" --store {shlex.quote(str(store))}"
    commands = [f"ablate report --grid {shlex.quote(grid)}{where}"]
    if tracking.is_installed():
        commands.append(f"ablate ui{where}")
    shown = Text(" · ").join(Text(command, style="bold") for command in commands)
    out.print(Text.assemble("next: ", shown), soft_wrap=True)
