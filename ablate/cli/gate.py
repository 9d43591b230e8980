"""The gate before a sweep: no variant may be vacuous."""

from ablate.errors import SpecError
from ablate.executors import call_with_torch
from ablate.plan import Plan
from ablate.spec import Variant


def check(plan: Plan) -> None:
    """Builds and tries every variant of the plan, in seconds, before anything is trained.

    Args:
        plan: The sweep.

    Raises:
        SpecError: If one of them ablates nothing.
        BadInput: If torch is broken.
        Interrupted: If Ctrl-C comes before the first run.
    """
    rows = {run.spec.name: run.spec.variant for run in plan.runs}
    if problems := call_with_torch("ablate.cli.gate:_vacuous", rows):
        raise SpecError(problems)


def _vacuous(rows: dict[str, Variant]) -> list[str]:
    import torch

    from ablate.models.preflight import vacuous

    # What is tried is small. More threads would wait for each other wherever processors are busy.
    torch.set_num_threads(1)
    return vacuous(rows)
