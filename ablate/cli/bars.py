"""Bars on a terminal: how far what is computed image by image is."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ablate.cli.console import err
from ablate.errors import Interrupted


@contextmanager
def bars_of(unit: str, kept: str) -> Iterator[Progress]:
    """Bars without a task yet; nothing is shown where there is no terminal.

    Args:
        unit: What is counted, as ``images``.
        kept: What a stop leaves, for the message that it ends with.

    Raises:
        Interrupted: At a stop signal.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn(f"{{task.completed}} of {{task.total}} {unit}"),
        TimeRemainingColumn(compact=True),
    )
    try:
        with Progress(*columns, console=err, disable=not err.is_terminal) as bars:
            yield bars
    except KeyboardInterrupt as stop:
        raise Interrupted(f"{kept} is kept") from stop
