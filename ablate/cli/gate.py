"""The gate before a sweep: no variant may be vacuous."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from ablate.errors import SpecError
from ablate.plan import Plan
from ablate.spec import Variant


def check(plan: Plan) -> None:
    """Builds and tries every variant of the plan, in seconds, before anything is trained.

    Raises:
        SpecError: If one of them ablates nothing.
    """
    rows = {run.spec.name: run.spec.variant for run in plan.runs}
    # In a process of its own: this one never needs torch again.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        problems = pool.submit(_vacuous, rows).result()
    if problems:
        raise SpecError(problems)


def _vacuous(rows: dict[str, Variant]) -> list[str]:
    from ablate.models.gate import vacuous

    return vacuous(rows)
