"""Figures of a sweep's runs."""

from pathlib import Path

from ablate.runs import Store, SweepRecord


def write_figure(record: SweepRecord, store: Store, path: Path) -> None:
    """As ``panels.write_panels``, which loads Pillow only where a figure is wanted."""
    from ablate.report.figures.panels import write_panels

    write_panels(record, store, path)
