"""``ablate plan``: what would run, what is done, and how it would be grouped."""

from typing import Annotated

import typer
from rich.text import Text

from ablate.cli import options
from ablate.cli.console import out, print_rows, without_own_split
from ablate.cli.hidden import print_hidden
from ablate.cli.lines import TableFormat, print_json
from ablate.registry import Catalogue
from ablate.runs import scale_line, shown
from ablate.study import DEFAULT_EXECUTOR, Study, SweepPlan


def plan(
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
    cohort_size: options.CohortSize = None,
    store: options.StorePath = options.DEFAULT_STORE,
    set_: options.Overrides = None,
    decide: Annotated[
        bool,
        typer.Option(
            "--decide",
            envvar="ABLATE_DECIDE",
            help="Show instead how many repeats and device hours would decide each claim, from "
            "the spread of the repeats that are done.",
        ),
    ] = False,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Show what would run, what is done and how it would be grouped. Starts and writes nothing."""
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
        cohort_size=cohort_size,
    )
    if decide:
        from ablate.cli.decision import print_decision

        print_decision(study.plan_decision(), format)
    else:
        print_plan(study.plan(), format)


def print_plan(planned: SweepPlan, format: TableFormat) -> None:
    """Prints a plan, run by run."""
    plan, rows = planned.plan, planned.rows()
    context = plan.context
    if format is TableFormat.JSON:
        print_json(
            {
                "sweep": plan.sweep.name,
                "context": context.model_dump(mode="json"),
                "choice": planned.choice,
                "ranges": planned.ranges,
                "changed": planned.changed,
                "splits": [
                    {
                        "number": number,
                        "split": each.protocol.split.model_dump(mode="json"),
                        "data": each.data.model_dump(mode="json"),
                    }
                    for number, each in plan.contexts.items()
                ],
                "watermark": context.watermark,
                "devices": planned.devices,
                "matched": {
                    name: each.model_dump(mode="json", exclude={"declaration"})
                    for name, each in plan.matched.items()
                },
                "runs": rows,
            }
        )
        return
    print_choice(planned)
    print_rows(without_own_split(rows), format, title=plan.sweep.title)
    for name, each in plan.matched.items():
        out.print(f"{name}: {each.sentence}", soft_wrap=True)
    out.print(setup_line(planned), soft_wrap=True)
    print_ranges(planned)
    cohorts = len(planned.cohorts)
    where = f", in {cohorts} cohort{'' if cohorts == 1 else 's'}" if cohorts else ""
    out.print(f"{len(plan.pending)} of {len(plan.runs)} runs to train{where}")


def setup_line(planned: SweepPlan) -> str:
    """What all runs of a plan share, and where they are trained."""
    context, devices = planned.plan.context, planned.devices
    counts = {device: devices.count(device) for device in devices}
    workers = ", ".join(f"{n} × {device}" if n > 1 else device for device, n in counts.items())
    parts = [
        f"protocol {context.protocol.label}",
        f"{context.data.label}: {_sizes(planned)}",
        context.weights.label,
        workers,
    ]
    if (splits := len(planned.plan.contexts)) > 1:
        seeds = len(planned.seeds)
        parts.insert(0, f"{splits} splits × {seeds} seed{'' if seeds == 1 else 's'}")
    return " · ".join(parts)


def _sizes(planned: SweepPlan) -> str:
    """How many images each part has; from the least to the most where splits differ."""
    data = [context.data for context in planned.plan.contexts.values()]
    parts = (
        ([each.train for each in data], "train"),
        ([each.validation for each in data], "validate"),
        ([each.test for each in data], "test"),
    )
    return ", ".join(
        f"{min(sizes)} to {what}"
        if len(set(sizes)) == 1
        else f"{min(sizes)} … {max(sizes)} to {what}"
        for sizes, what in parts
        if any(sizes)
    )


def print_choice(planned: SweepPlan) -> None:
    """Says which protocol is used where the user names none, and which files hide published ones.

    And which files of the data or the weights have changed since the runs of this sweep.
    """
    plan = planned.plan
    names = {f"variant {run.spec.name}" for run in plan.runs}
    names |= {f"sweep {plan.sweep.name}", f"protocol {plan.context.protocol.name}"}
    print_hidden(Catalogue(), names)
    if planned.choice:
        name, _, reason = planned.choice.partition(":")
        out.print(Text.assemble((name, "bold"), f":{reason}"), soft_wrap=True)
    if planned.changed:
        out.print(shown(planned.changed), style="yellow", soft_wrap=True)


def print_ranges(planned: SweepPlan) -> None:
    """Says what the percentiles that scale the images are, where such are declared."""
    if planned.ranges:
        out.print(scale_line(planned.ranges), soft_wrap=True)
