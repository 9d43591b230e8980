"""``verify_bundle``: whether a bundle is what it says, checked from its raw files alone."""

import hashlib
import itertools
import tempfile
from pathlib import Path

from pydantic import ValidationError

from ablate.errors import BadInput, SpecError, StoreError
from ablate.report import Report
from ablate.report.report_differences import report_differences
from ablate.report.results import one_line
from ablate.report.store_view import StoreView
from ablate.report.verification import check_runs
from ablate.report.verification_model import Disagreement, ReportDifference, Verification
from ablate.runs import Store, SweepRecord, documents, shown
from ablate.study.bundle.building import report_of
from ablate.study.bundle.crate import digests_of
from ablate.study.bundle.form import CONTENTS, METADATA, REPORTS, BundleContents
from ablate.study.bundle.unpacking import unpack
from ablate.study.report import SweepReport

_REPAIR = "ask for the bundle again"
_NOTE_CHARACTERS = 300
_SHOWN_CHARACTERS = 100


def verify_bundle(path: Path) -> Verification:
    """Compares every file of a bundle with its digest, and every number with the raw pixels.

    The report is built anew from the bundle's own files and compared with the one inside. Needs
    neither torch nor the data, and nothing of the machine that wrote it.

    Raises:
        BadInput: If it is not a bundle, or is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="ablate-verify-") as name:
        # The system's folder may be a link, and paths are compared.
        folder = Path(name).resolve()
        names = unpack(path, folder)
        try:
            files = _check_files(folder, names)
            contents, record = _read(folder)
            checks = check_runs(record, StoreView(folder, states=contents.states))
            report = _ReportCheck(folder, record, contents)
        except StoreError as error:
            # Where it was unpacked says nothing.
            problem = error.parts[0].replace(f"{folder}/", "")
            raise BadInput(f"{shown(path)}: {problem}", _REPAIR) from error
        disagreements = [*files, *checks.disagreements, *report.disagreements]
        return Verification(
            subject=str(path),
            sweep=record.sweep.name,
            id=record.id,
            state="differs" if disagreements or report.differences else "agrees",
            runs=checks.runs,
            runs_without_result=checks.runs_without_result,
            values=checks.values,
            weights=checks.weights,
            weights_absent=checks.weights_absent,
            files=len(names),
            written_by=contents.ablate,
            disagreements=tuple(disagreements),
            report_values=report.compared,
            report_differences=tuple(report.differences),
        )


def _check_files(folder: Path, names: list[str]) -> list[Disagreement]:
    """The files whose digests are not those of the metadata."""
    stored = digests_of(documents.load(folder / METADATA, _REPAIR))
    found: dict[str, str] = {}
    for name in names:
        if name != METADATA:
            with (folder / name).open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return [
        _of_file(name, "sha256", stored.get(name), found.get(name))
        for name in sorted({*stored, *found})
        if stored.get(name) != found.get(name)
    ]


def _of_file(
    name: str, what: str, stored: str | None, recomputed: str | None, note: str | None = None
) -> Disagreement:
    return Disagreement(
        row=None,
        split=None,
        seed=None,
        key=None,
        what=what,
        stored=stored,
        recomputed=recomputed,
        file=name,
        note=note,
    )


def _read(folder: Path) -> tuple[BundleContents, SweepRecord]:
    """What the bundle says of itself, and the sweep in it.

    Raises:
        StoreError: If one of them is missing or cannot be read.
    """
    try:
        contents = documents.read(BundleContents, folder / CONTENTS, _REPAIR)
        records = Store(folder).sweep_records()
    except FileNotFoundError as error:
        raise StoreError(f"it has no {CONTENTS}", _REPAIR) from error
    if [record.id for record in records] != [contents.sweep]:
        raise StoreError(
            f"it has {len(records)} records of sweeps, and should have {contents.sweep}", _REPAIR
        )
    return contents, records[0]


class _ReportCheck:
    """Compares the report inside with the one that recomputed values give.

    Attributes:
        compared: Values that were compared.
        differences: Those that differ.
        disagreements: Why the report cannot be read or built.
    """

    def __init__(self, folder: Path, record: SweepRecord, contents: BundleContents) -> None:
        self.compared = 0
        self.differences: list[ReportDifference] = []
        self.disagreements: list[Disagreement] = []
        self._folder = folder
        try:
            stored = Report.model_validate_json((folder / REPORTS["json"]).read_bytes())
            made = report_of(folder, record, contents, recomputed=True)
        except FileNotFoundError:
            self._note("it is missing")
        except (ValidationError, SpecError, StoreError, ValueError) as error:
            self._note(one_line(str(error))[:_NOTE_CHARACTERS])
        else:
            self._compare(stored, made)

    def _note(self, note: str) -> None:
        self.disagreements.append(_of_file(REPORTS["json"], "file", None, None, note))

    def _compare(self, stored: Report, made: SweepReport) -> None:
        self.compared, self.differences = report_differences(stored, made.report, REPORTS["json"])
        # The texts are to be those of the report inside, whatever that one is.
        inside = SweepReport(stored, made.record, made.store)
        for written, name in REPORTS.items():
            self.compared += 1
            path = self._folder / name
            text = path.read_text("utf-8", errors="replace") if path.exists() else ""
            if text != (expected := inside.render(written)):
                self.differences.append(_first_line(name, text, expected))


def _first_line(name: str, text: str, expected: str) -> ReportDifference:
    """The first line in which two texts differ."""
    pairs = itertools.zip_longest(text.splitlines(), expected.splitlines(), fillvalue="")
    number, lines = next(
        ((number, pair) for number, pair in enumerate(pairs, start=1) if pair[0] != pair[1]),
        # They differ in the ends of lines alone.
        (0, ("", "")),
    )
    return ReportDifference(
        file=name,
        place=f"line {number}",
        stored=lines[0][:_SHOWN_CHARACTERS],
        recomputed=lines[1][:_SHOWN_CHARACTERS],
    )
