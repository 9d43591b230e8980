"""Whether Linux has ended a process because memory was short, as its counters tell."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OWN_GROUPS = Path("/proc/self/cgroup")
_MOUNTS = Path("/proc/self/mounts")
# Of the whole machine, for kernels without control groups of memory.
_MACHINE = Path("/proc/vmstat")
_KEY = "oom_kill"


class MemoryKills:
    """Counts the processes that were ended since this was made, or since one was accounted for.

    Linux counts before it sends SIGKILL. The counter is that of the control group that this process
    and its children are in, or else that of the machine: then the process may be any.
    """

    def __init__(self) -> None:
        """Reads the counter."""
        self._source = next(filter(_is_counter, counter_files()), None)
        self._accounted = self._count()

    def account_for_one(self) -> bool:
        """Whether a process was ended that no earlier call has accounted for; now it is."""
        has_risen = self._count() > self._accounted
        self._accounted += has_risen
        return has_risen

    def _count(self) -> int:
        return _read(self._source) or 0 if self._source else 0


def counter_files() -> Iterator[Path]:
    """Where the counter may be, the most specific first.

    https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.events), and for version 1
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html (memory.oom_control).
    """
    with suppress(OSError):
        groups = [line.split(":", 2) for line in _OWN_GROUPS.read_text().splitlines()]
        mounts = [line.split() for line in _MOUNTS.read_text().splitlines()]
        for _, controllers, group in groups:
            for mount in mounts:
                place, kind, options = Path(mount[1]), mount[2], mount[3].split(",")
                # In a container, the group may be named from outside, and lie at the mount itself.
                for folder in (place / group.strip("/"), place):
                    if kind == "cgroup2" and not controllers:
                        yield folder / "memory.events"
                    elif (
                        kind == "cgroup"
                        and "memory" in controllers.split(",")
                        and ("memory" in options)
                    ):
                        yield folder / "memory.oom_control"
    yield _MACHINE


def _is_counter(path: Path) -> bool:
    return _read(path) is not None


def _read(path: Path) -> int | None:
    """The count in a file of keys and numbers; None where there is none."""
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == _KEY:
                return int(value)
    return None
