"""Sweeps that are planned for a store."""

from collections.abc import Sequence

from ablate.plan import Plan, build_plan, sweep_runs
from ablate.registry import Catalogue
from ablate.runs import Store
from ablate.spec import Context, random_resnet


def with_resnets(context: Context) -> Context:
    """The context of a sweep that has CNN baselines, too."""
    resnets = {name: random_resnet(name) for name in ("resnet50", "resnet101", "resnet152")}
    return context.model_copy(update={"resnets": resnets})


def plan_of(name: str, context: Context, store: Store, seeds: Sequence[int] = (0,)) -> Plan:
    """The plan of a shipped sweep."""
    catalogue = Catalogue()
    rows = catalogue.rows(name, context.protocol.backbone)
    runs = sweep_runs(rows, context, seeds)
    return build_plan(catalogue.sweep(name), context, runs, store)
