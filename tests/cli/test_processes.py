"""What processes that train are given, and what this one keeps."""

import os

from ablate.cli import processes


def test_this_process_keeps_its_own_settings() -> None:
    before = dict(os.environ)
    processes.with_torch()
    assert dict(os.environ) == before


def test_workers_keep_their_memory() -> None:
    with processes.with_torch().Pool(1) as pool:
        theirs = pool.apply(os.getenv, ("GLIBC_TUNABLES",))
    assert "glibc.malloc.trim_threshold" in theirs
