"""``ablate plan``: what would run, what is done, and how it would be grouped."""

from collections.abc import Sequence

from ablate.cli import options
from ablate.cli.console import TableFormat, out, print_json, print_rows
from ablate.cli.resolve import Request, resolve
from ablate.plan import Plan, group_into_cohorts
from ablate.runs import Store


def plan(
    grid: options.Grid,
    protocol: options.ProtocolName = None,
    data: options.DataPath = None,
    checkpoint: options.CheckpointPath = None,
    backbone_weights: options.BackboneWeights = None,
    variant: options.VariantNames = None,
    seeds: options.Seeds = None,
    device: options.Devices = None,
    store: options.StorePath = options.DEFAULT_STORE,
    set_: options.Overrides = None,
    format: options.Format = TableFormat.TABLE,
) -> None:
    """Show what would run, what is done and how it would be grouped. Starts and writes nothing."""
    request = Request(
        grid, protocol, data, checkpoint, backbone_weights or (), variant or (), seeds, set_ or ()
    )
    print_plan(resolve(request, Store(store)), device or (), format)


def print_plan(made: Plan, devices: Sequence[str], format: TableFormat) -> None:
    """Prints a plan, run by run."""
    groups = group_into_cohorts(made.pending, max(1, len(devices)))
    cohort_of = {
        path: number for number, group in enumerate(groups, start=1) for path in group.folders
    }
    rows = [
        {
            "variant": run.spec.name,
            "seed": run.spec.seed,
            "key": run.spec.key,
            "state": run.state.value,
            "cohort": cohort_of.get(run.folder.path),
        }
        for run in made.runs
    ]
    context = made.context
    if format is TableFormat.JSON:
        print_json(
            {
                "sweep": made.sweep.name,
                "context": context.model_dump(mode="json"),
                "watermark": context.watermark,
                "runs": rows,
            }
        )
        return
    print_rows(rows, format, title=made.sweep.title)
    out.print(
        f"protocol {context.protocol.name} · {context.data.label} "
        f"({context.data.train} to train, {context.data.validation} to validate) · "
        f"{context.weights.label}",
        soft_wrap=True,
    )
    out.print(
        f"{len(made.pending)} of {len(made.runs)} runs to train"
        + (f", in {len(groups)} cohort{'s' * (len(groups) > 1)}" if groups else "")
    )
