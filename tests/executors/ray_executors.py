"""Executors of Ray for tests, and the processes and folders that they leave."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ablate.executors.ray import RayExecutor, Settings
from executors.ray_cluster import Cluster, descendants


def opened(tmp_path: Path, work: str, where: Cluster | str | None, **settings: Any):
    return closing(make(tmp_path, work, where, **settings))


@contextmanager
def closing(executor: RayExecutor) -> Iterator[RayExecutor]:
    try:
        yield executor
    finally:
        executor.close()


def make(tmp_path: Path, work: str, where: Cluster | str | None, **settings: Any) -> RayExecutor:
    address = where.address if isinstance(where, Cluster) else where
    return RayExecutor(
        Settings(poll_s=0.2, address=address, **settings),
        work=f"executors.works:{work}",
        devices=["cpu"],
        logs=tmp_path / "logs",
    )


def own_folders() -> list[Path]:
    """Of clusters of ablate's own."""
    return list(Path("/tmp").glob("ablate-ray-*"))


def bridges() -> list[int]:
    """The processes of this one that speak with Ray."""
    return [pid for pid in descendants(os.getpid()) if b"ray_bridge" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def lives(pid: int) -> bool:
    """Whether a process runs; a dead one whose parent has not noticed has no command line."""
    return bool(command_line(pid))
