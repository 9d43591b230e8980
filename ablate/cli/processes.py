"""Processes that train, all from one that has torch."""

import multiprocessing
import os
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

# Read by glibc once, when a process starts; its copies keep what it read. By default it gives the
# larger buffers of a step back to the system and gets them anew, page by page: SAM-nano's take
# 5,000 page faults in each step, and 182 ms instead of 168. Whoever sets this decides alone.
_VARIABLE = "GLIBC_TUNABLES"
_SETTINGS = {
    "glibc.malloc.mmap_threshold": 32 * 2**20,
    "glibc.malloc.trim_threshold": 2**40,
    # In pages of two megabytes, where the system has them.
    "glibc.malloc.hugetlb": 1,
}


def with_torch() -> ForkServerContext:
    """Processes that have torch from their first moment.

    They are copies of a server that imports it once, in the background, beginning now: each would
    take seconds for that by itself. The server only imports; it touches no accelerator and starts
    no thread, so that its copies can. Their allocator is set for small models.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ablate.cli.preload"])
    ours = _VARIABLE not in os.environ
    if ours:
        os.environ[_VARIABLE] = ":".join(f"{name}={value}" for name, value in _SETTINGS.items())
    try:
        forkserver.ensure_running()
    finally:
        if ours:
            del os.environ[_VARIABLE]
    return context
