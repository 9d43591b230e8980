"""Before any training: no variant may be vacuous."""

from collections.abc import Mapping

from ablate.errors import SpecError
from ablate.executors import call_with_torch
from ablate.plan import Plan
from ablate.spec import Variant


def check_rows(plan: Plan) -> None:
    """Builds and tries every variant of the plan, in seconds.

    Raises:
        SpecError: If one of them ablates nothing.
        BadInput: If torch is broken.
        Interrupted: If Ctrl-C comes before the first run.
    """
    rows = {run.spec.name: run.spec.variant for run in plan.runs}
    if problems := call_with_torch("ablate.study.preflight:vacuous_rows", rows):
        raise SpecError(problems)


def vacuous_rows(rows: Mapping[str, Variant]) -> list[str]:
    """A line for each row that ablates nothing. Loads torch."""
    import torch

    from ablate.models.preflight import vacuous

    # The models are small. More threads would wait for each other wherever processors are busy.
    torch.set_num_threads(1)
    return vacuous(rows)
