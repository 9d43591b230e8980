"""The report of a folder that holds what a bundle holds."""

from pathlib import Path

from ablate.registry import only_in
from ablate.report import build_report
from ablate.report.store_view import StoreView
from ablate.runs import SweepRecord
from ablate.study.bundle.form import BundleContents
from ablate.study.report import SweepReport, with_importances


def report_of(
    folder: Path, record: SweepRecord, contents: BundleContents, *, recomputed: bool = False
) -> SweepReport:
    """Builds the report from the files of the folder and from nothing else.

    Args:
        folder: An unpacked bundle.
        record: The sweep in it.
        contents: What ``bundle.json`` says.
        recomputed: Whether the scores are computed from the pixels of the images.

    Raises:
        SpecError: If a published table is missing or breaks rules.
        StoreError: If the outcome of the data's check or the record of the tuning cannot be read.
    """
    store = StoreView(folder, states=contents.states, recomputed=recomputed)
    with only_in(folder):
        report = build_report(
            record, store, parameters=contents.parameters, today=contents.declared
        )
    return SweepReport(with_importances(report), record, store)
