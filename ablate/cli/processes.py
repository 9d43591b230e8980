"""Processes that train, all from one that has torch."""

import multiprocessing
import os
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

# Read once, when a process starts; its copies keep what it read.
_SETTINGS = {
    # By default glibc gives the larger buffers of a step back to the system and gets them anew,
    # page by page: SAM-nano's take 7,500 page faults in each step and a fifteenth of its time.
    # Allocators other than glibc's do not know these names.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
}


def with_torch() -> ForkServerContext:
    """Processes that have torch from their first moment.

    They are copies of a server that imports it once, in the background, beginning now: each would
    take seconds for that by itself. The server only imports; it touches no accelerator and starts
    no thread, so that its copies can. Their allocator is set for small models.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ablate.cli.preload"])
    missing = {name: value for name, value in _SETTINGS.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        forkserver.ensure_running()
    finally:
        for name in missing:
            del os.environ[name]
    return context
