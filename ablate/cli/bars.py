"""Bars on a terminal: how far what is computed image by image is."""

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ablate.cli.console import err


def bars_of(unit: str) -> Progress:
    """Bars without a task yet; nothing is shown where there is no terminal.

    Args:
        unit: What is counted, as ``images``.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn(f"{{task.completed}} of {{task.total}} {unit}"),
        TimeRemainingColumn(compact=True),
        console=err,
        disable=not err.is_terminal,
    )
