"""Processes that train, all from one that has torch."""

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext


def with_torch() -> ForkServerContext:
    """Processes that have torch from their first moment.

    They are copies of a server that imports it once, in the background, beginning now: each would
    take seconds for that by itself. The server only imports; it touches no accelerator and starts
    no thread, so that its copies can.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ablate.cli.preload"])
    forkserver.ensure_running()
    return context
