"""What the page of a report needs besides the report: learning curves and panels, from the folders.

The page's own files, ``template.html``, ``page.css`` and the scripts, lie here too;
``ablate.report.writers.html`` puts them together.
"""

from ablate.report.model import Report
from ablate.report.page.model import Band, Curve, PageData, Picture
from ablate.runs import Store


def read_page(report: Report, store: Store) -> PageData:
    """Reads the learning curves and the panels of a report's runs, bounded in number and bytes.

    Args:
        report: The report; its rows name the runs.
        store: The store that holds them.
    """
    from ablate.report.page.curves import read_curves
    from ablate.report.page.pictures import read_pictures

    curves, curve_notes = read_curves(report, store)
    pictures, picture_notes = read_pictures(report, store)
    return PageData(
        curves=curves, curve_notes=curve_notes, pictures=pictures, picture_notes=picture_notes
    )


__all__ = ["Band", "Curve", "PageData", "Picture", "read_page"]
