"""Figures of a sweep's runs and of its tuning; their libraries are loaded where one is drawn."""

from pathlib import Path

from ablate.report.model import Report
from ablate.runs import Store, SweepRecord


def write_figure(record: SweepRecord, store: Store, path: Path) -> None:
    """As ``panels.write_panels``, which loads Pillow only where a figure is wanted."""
    from ablate.report.figures.panels import write_panels

    write_panels(record, store, path)


def write_best_of_k(report: Report, path: Path) -> None:
    """As ``best_of_k.write_curves``."""
    from ablate.report.figures.best_of_k import write_curves

    write_curves(report, path)
