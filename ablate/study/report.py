"""``report_sweep``: the tables of a sweep that was started in a store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ablate.errors import BadInput, SpecError, StoreError
from ablate.registry import Catalogue
from ablate.report import (
    FIGURES,
    PAGED,
    WRITERS,
    Report,
    build_report,
    check_format,
    draw_figures,
    read_page,
    render,
    suffix_of,
)
from ablate.report.comparison_model import MaskDifferences
from ablate.report.effects import Importances
from ablate.report.model import Row
from ablate.runs import Store, SweepRecord, atomic
from ablate.spec import Variant
from ablate.study.matching import as_recorded
from ablate.study.parameters import count_for_report

if TYPE_CHECKING:
    import pandas as pd

    from ablate.report.explanation import Explanation


class WrittenFigures(NamedTuple):
    """What became of the figures of a report.

    Attributes:
        files: Those that were written.
        left_out: By figure, why there is none.
    """

    files: list[Path]
    left_out: dict[str, str]


@dataclass(frozen=True)
class SweepReport:
    """A report, and how to put it on paper.

    Attributes:
        report: The report, as one value.
        record: The start of the sweep that it is of.
        store: Where its runs lie.
    """

    report: Report
    record: SweepRecord
    store: Store

    @property
    def unreadable(self) -> int:
        """How many of the sweep's own runs cannot be read, or contradict their files."""
        states = [run.state for row in self.report.rows for run in row.repeats]
        return states.count("unreadable")

    def rows(self) -> list[dict[str, Any]]:
        """One row for each variant, in the table's order.

        Each has the variant's name and label, what sets it apart, the number of runs ``n``, each
        metric's mean (percent) with ``_sd`` and ``_published``, ``delta_miou`` (percentage points)
        with the ends of its 95 % interval and what that accounts for (``delta_miou_method``), and
        ``missing_reason``. A metric of masks that the task names has its difference and ends
        likewise, as ``delta_boundary_iou``. Where runs have a test part, ``test_`` before a
        metric's name is its mean on that. What there is not is None.
        """
        rows = [_row(row, self.report.mask_differences) for row in self.report.rows]
        if tested := self.report.held_out:
            for row, own in zip(rows, tested.rows, strict=True):
                row |= {f"test_{metric}": score.mean for metric, score in own.scores.items()}
        return rows

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def render(self, format: str = "markdown") -> str:
        """The report as text; ``ablate.report.WRITERS`` names the formats.

        Raises:
            BadInput: If there is no such format.
        """
        check_format(format)
        page = read_page(self.report, self.store) if format in PAGED else None
        return render(self.report, format, page)

    def write(self, path: str | Path, format: str = "markdown") -> None:
        """Puts the report into a file, whole or not at all.

        Raises:
            BadInput: If there is no such format, or the path is a folder.
        """
        check_target(Path(path))
        atomic.replace(Path(path), self.render(format).encode())

    def write_all(self, folder: str | Path) -> list[Path]:
        """Puts the report into a file of every format, named after the sweep.

        Returns:
            The files.

        Raises:
            BadInput: If the folder is a file, or one of the files a folder.
        """
        files = all_files(Path(folder), self.record.sweep.name)
        for path in files.values():
            check_target(path)
        texts = {path: self.render(each) for each, path in files.items()}
        for path, text in texts.items():
            atomic.replace(path, text.encode())
        return list(texts)

    def explain(self, row: str, metric: str) -> Explanation:
        """Follows a number of the table of scores back to its runs, pixels and files.

        Args:
            row: The row, by the variant's name or its label.
            metric: The metric, by its name (such as ``miou``) or the table's heading.

        Raises:
            BadInput: If the report has no such row or metric.
        """
        from ablate.report.explanation import explain

        return explain(self.report, self.record, self.store, row, metric)

    def write_figures(self, folder: str | Path) -> WrittenFigures:
        """Writes every figure that the runs allow, as PNG and SVG; panels as PNG alone.

        Files of an earlier report that this one has not are removed from the folder.

        Raises:
            BadInput: If the folder is a file, or one of the files a folder.
        """
        check_folder(Path(folder))
        drawn = draw_figures(self.report, read_page(self.report, self.store))
        files = {Path(folder) / name: content for name, content in drawn.files.items()}
        for path in files:
            check_target(path)
        for path, content in files.items():
            atomic.replace(path, content)
        for path in figure_files(Path(folder)):
            if path not in files:
                path.unlink()
        return WrittenFigures(list(files), drawn.left_out)


def figure_files(folder: Path) -> list[Path]:
    """What lies in a folder under the names of figures, some of which have several sheets."""
    name = re.compile(rf"({'|'.join(FIGURES)})(-[0-9]+)?\.(png|svg)")
    return [path for path in folder.glob("*") if name.fullmatch(path.name) and not path.is_dir()]


def report_sweep(record: SweepRecord, store: Store) -> SweepReport:
    """Reads the runs of a sweep and sets them beside the published values.

    Args:
        record: The start of the sweep.
        store: Where the runs lie.

    Raises:
        SpecError: If a published table is missing or breaks rules.
        StoreError: If a run's folder cannot be read.
    """
    parameters = count_for_report(record, store)
    report = build_report(record, store, parameters=parameters, today=declared_rows(record))
    return SweepReport(with_importances(report), record, store)


def with_importances(report: Report) -> Report:
    """The report with the importances of its factors: another room knows Optuna."""
    effects = report.effects
    if effects is None:
        return report
    from ablate.tune.importance import best_of, importances

    runs = effects.runs
    shares = importances([run.levels for run in runs], [run.miou for run in runs])
    best = best_of(len(runs))
    if shares is None or best is None:
        return report
    found = Importances(shares=shares, best=best, runs=len(runs))
    return report.model_copy(update={"effects": effects.model_copy(update={"importances": found})})


def latest_start(store: Store, sweep: str, protocol: str | None = None) -> list[SweepRecord]:
    """The starts of a sweep under a protocol, the latest first.

    Args:
        store: Where it was started.
        sweep: The sweep's name.
        protocol: Only starts with this protocol, overridden or not; None: all.

    Raises:
        StoreError: If there is none.
    """
    problems: list[str] = []
    records = store.sweep_records(sweep, problems)
    if not records and problems:
        raise StoreError("\n".join(problems), "")
    if not records:
        raise StoreError(
            f"sweep {sweep} was never started in {store.root}",
            f"start it with `ablate run --grid {sweep}`, or give --store",
        )
    chosen = [each for each in records if protocol in (None, each.context.protocol.name)]
    if not chosen:
        names = ", ".join(sorted({each.context.protocol.name for each in records}))
        raise StoreError(
            f"sweep {sweep} was never started with protocol {protocol}",
            f"there are runs with {names}",
        )
    return chosen


def declared_rows(record: SweepRecord) -> dict[str, Variant]:
    """The sweep's variants by name, as the catalogue declares them now.

    What was removed or broken since is left out: a report needs no catalogue.
    """
    catalogue, backbone = Catalogue(), record.context.protocol.backbone
    try:
        declared = catalogue.rows(record.sweep, backbone)
        return as_recorded(declared, record.matched, catalogue, backbone)
    except SpecError:
        pass
    rows: dict[str, Variant] = {}
    for name in dict.fromkeys(run.name for run in record.runs):
        try:
            # The sweep's match is not known here.
            if name in catalogue.variant_files and name not in record.matched:
                rows[name] = catalogue.variant(name)
        except SpecError:
            continue
    return rows


def _row(row: Row, masks: Sequence[MaskDifferences]) -> dict[str, Any]:
    values: dict[str, Any] = {"variant": row.name, "label": row.label, **row.structure}
    values["n"] = sum(each.state == "done" for each in row.repeats)
    for metric, score in row.scores.items():
        values[metric] = score.mean
        values[f"{metric}_sd"] = score.sd
        values[f"{metric}_published"] = score.published
    delta = row.delta
    values["delta_miou"] = delta.mean if delta else None
    values["delta_miou_low"] = delta.low if delta else None
    values["delta_miou_high"] = delta.high if delta else None
    values["delta_miou_method"] = delta.method if delta else None
    for each in masks:
        of_masks = each.rows.get(row.name)
        values[f"delta_{each.metric}"] = of_masks.mean if of_masks else None
        values[f"delta_{each.metric}_low"] = of_masks.low if of_masks else None
        values[f"delta_{each.metric}_high"] = of_masks.high if of_masks else None
    values["missing_reason"] = row.missing_reason
    return values


def all_files(folder: Path, name: str) -> dict[str, Path]:
    """The file of every format, by format.

    Args:
        folder: Where they are to lie; it need not exist yet.
        name: The sweep's name.

    Raises:
        BadInput: If the folder is a file.
    """
    check_folder(folder)
    return {each: folder / f"{name}{suffix_of(each)}" for each in WRITERS}


def check_folder(folder: Path) -> None:
    """Makes sure that files can be put into ``folder``.

    Raises:
        BadInput: If it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file", "give the name of a folder")


def check_target(path: Path) -> None:
    """Makes sure that a file can be put at ``path``.

    Raises:
        BadInput: If it is a folder.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder", "give the name of a file")
