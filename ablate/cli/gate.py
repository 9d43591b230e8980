"""The gate before a sweep: no variant may be vacuous."""

import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext

from ablate.errors import BadInput, Interrupted, SpecError
from ablate.plan import Plan
from ablate.spec import Variant


def check(plan: Plan, context: BaseContext) -> None:
    """Builds and tries every variant of the plan, in seconds, before anything is trained.

    Args:
        plan: The sweep.
        context: Makes the process that has torch; this one never needs it.

    Raises:
        SpecError: If one of them ablates nothing.
        BadInput: If torch is broken.
        Interrupted: If Ctrl-C comes before the first run.
    """
    rows = {run.spec.name: run.spec.variant for run in plan.runs}
    # Ctrl-C reaches the whole terminal group; what it means is decided here.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    try:
        with ProcessPoolExecutor(1, context, signal.signal, ignore) as pool:
            problems = pool.submit(_vacuous, rows).result()
    except KeyboardInterrupt as stop:
        raise Interrupted("nothing was started") from stop
    except (ImportError, OSError) as error:
        raise BadInput(f"torch cannot be imported: {error}", "see `ablate doctor`") from error
    if problems:
        raise SpecError(problems)


def _vacuous(rows: dict[str, Variant]) -> list[str]:
    import torch

    from ablate.models.preflight import vacuous

    # What is tried is small. More threads would wait for each other wherever processors are busy.
    torch.set_num_threads(1)
    return vacuous(rows)
