"""``ablate tune``: tries settings for every row, and trains each row's best anew."""

from typing import Annotated, Any

import typer

from ablate.cli import options
from ablate.cli.console import err, out, print_rows
from ablate.cli.display import duration
from ablate.cli.lines import TableFormat
from ablate.cli.run import print_failures, print_header, print_next_steps, print_ways_on
from ablate.cli.tuning_display import TuningDisplay, words
from ablate.errors import ExitCode
from ablate.runs import State
from ablate.study import (
    DEFAULT_EXECUTOR,
    DEFAULT_SAMPLER,
    DEFAULT_TRIALS,
    MAX_TRIALS,
    Study,
    TuningOutcome,
    TuningPlan,
    expect_training,
    tune_sweep,
)

# How many settings a dry run prints.
_SHOWN_SETTINGS = 4


def tune(
    context: typer.Context,
    grid: options.Grid,
    trials: Annotated[
        int,
        typer.Option(
            envvar="ABLATE_TRIALS",
            min=1,
            max=MAX_TRIALS,
            help="Settings that are tried for each row. More of them, given later, continue.",
        ),
    ] = DEFAULT_TRIALS,
    sampler: Annotated[
        str,
        typer.Option(
            envvar="ABLATE_SAMPLER",
            metavar="NAME",
            help="qmc: one quasi-random sequence that all rows share, so that differences are "
            "paired by setting; random: a random sequence for each row; tpe and gp: row by row, "
            "each setting by what came of the earlier ones.",
        ),
    ] = DEFAULT_SAMPLER,
    sampler_seed: Annotated[
        int,
        typer.Option(envvar="ABLATE_SAMPLER_SEED", help="The seed of the settings."),
    ] = 0,
    storage: Annotated[
        str | None,
        typer.Option(
            envvar="ABLATE_STORAGE",
            metavar="URL",
            help="A database for Optuna's studies, such as sqlite:///tuning.db. "
            "[default: a file in the store]",
            show_default=False,
        ),
    ] = None,
    protocol: options.ProtocolName = None,
    data: options.DataPath = None,
    checkpoint: options.CheckpointPath = None,
    backbone_weights: options.BackboneWeights = None,
    variant: options.VariantNames = None,
    seeds: options.Seeds = None,
    device: options.Devices = None,
    executor: options.ExecutorName = DEFAULT_EXECUTOR,
    ray_address: options.RayAddress = None,
    cohort_size: options.CohortSize = None,
    store: options.StorePath = options.DEFAULT_STORE,
    set_: options.Overrides = None,
    tracking_uri: options.TrackingUri = None,
    track: options.Track = True,
    retry: options.Retry = "failed",
    keep_going: options.KeepGoing = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the first settings and how many runs.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Try settings for every row on its training images; train each row's best anew.

    Stopped or killed, it continues.
    """
    study = Study(
        grid,
        protocol=protocol,
        data=data,
        checkpoint=checkpoint,
        backbone_weights=backbone_weights or (),
        variants=variant or (),
        seeds=options.parse_seeds(seeds),
        overrides=set_ or (),
        store=store,
        devices=device or (),
        executor=executor,
        executor_settings=options.settings_of_executor(context, executor, ray_address),
        cohort_size=cohort_size,
        retry=retry,
        keep_going=keep_going,
        track=track,
        tracking_uri=tracking_uri,
    )
    if not dry_run:
        expect_training()
    planned = study.plan_tuning(
        trials=trials, sampler=sampler, sampler_seed=sampler_seed, storage=storage
    )
    if dry_run:
        _print_head(planned)
        _print_first_settings(planned)
        return
    if quiet:
        outcome = tune_sweep(planned)
    else:
        _print_head(planned)
        with TuningDisplay(planned.settings.tuning.metric) as display:
            outcome = tune_sweep(planned, display, display.tell)
    print_failures(outcome.failed)
    print_ways_on(outcome.failed, planned.seeds, is_cut_short=outcome.is_cut_short)
    for row in outcome.without_choice:
        err.print(f"no trial of {row} gave a score: it has no best setting", soft_wrap=True)
    for note in outcome.notes:
        err.print(note, soft_wrap=True)
    if not quiet:
        _print_conclusion(planned, outcome)
        print_next_steps(grid, store)
    if outcome.failed or outcome.without_choice:
        raise typer.Exit(ExitCode.RUN_FAILED)


def _print_head(planned: TuningPlan) -> None:
    """The first lines: those of ``ablate run``, then what is tried on which images."""
    print_header(planned.sweep)
    data, rows = planned.inner.data, len(planned.rows)
    out.print(
        f"{planned.trials} trial{'' if planned.trials == 1 else 's'} for each of {rows} "
        f"row{'' if rows == 1 else 's'} by {planned.sampler.name} (seed {planned.sampler_seed}): "
        f"{planned.sampler.summary}; on the training images alone: {data.train} to train, "
        f"{data.validation} to judge by {planned.settings.tuning.metric}",
        soft_wrap=True,
    )
    for name, domain in planned.settings.tuning.space.items():
        having = sum(name in planned.settings.fields_of(row) for row in planned.rows)
        which = "" if having == rows else f", in {having} of {rows} rows"
        out.print(f"  {name}: {domain.describe()}{which}", soft_wrap=True)


def _print_first_settings(planned: TuningPlan) -> None:
    settings = planned.first_settings(_SHOWN_SETTINGS)
    rows: list[dict[str, Any]] = []
    if planned.sampler.is_shared:
        fullest = max(settings, key=lambda row: len(planned.settings.fields_of(row)))
        settings = {"all": settings[fullest]}
    for row, listed in settings.items():
        for number, setting in enumerate(listed, start=1):
            rows.append({"rows": row, "trial": number, "setting": words(setting)})
    print_rows(rows, TableFormat.TABLE)
    count = len(planned.rows)
    out.print(
        f"{planned.trials * count} trials, then {count} row{'' if count == 1 else 's'} as declared "
        f"and with the best setting, {len(planned.seeds)} seed"
        f"{'' if len(planned.seeds) == 1 else 's'} each"
    )


def _print_conclusion(planned: TuningPlan, outcome: TuningOutcome) -> None:
    metric = planned.settings.tuning.metric
    if outcome.began_anew:
        out.print(
            "the store held a tuning of another space, sampler or split: this one began anew, and "
            "trained no run again that was done",
            soft_wrap=True,
        )
    print_rows(
        [
            {
                "row": row.row,
                "trials": row.trials,
                "done": row.done,
                "device_seconds": f"{row.spent_s:,.1f}",
                "best_trial": row.best,
                f"inner_{metric}": row.value,
            }
            for row in outcome.rows
        ],
        TableFormat.TABLE,
    )
    # Settings are lines of their own: two fields are wider than a terminal leaves room for.
    for row in outcome.rows:
        if row.setting is not None:
            out.print(f"best setting of {row.row}: {words(row.setting)}", soft_wrap=True)
    done = sum(run.state is State.DONE for run in (*outcome.trials, *outcome.runs))
    runs = len(outcome.trials) + len(outcome.runs)
    if outcome.pending:
        out.print(f"{done} of {runs} runs done, after {duration(outcome.spent_s)}")
    else:
        out.print(f"nothing to train: {done} of {runs} runs are done")
