"""What a report says about the versions of packages."""

from collections.abc import Mapping

from ablate.report.tables import tables_of
from report.sweep_on_disk import SweepOnDisk

COMMON = {"numpy": "2.0", "torch": "2.9"}


def line(table: SweepOnDisk, *versions: Mapping[str, str]) -> str:
    table.finish("translandseg")
    report = table.report()
    (run,) = report.provenance.runs
    runs = tuple(run.model_copy(update={"versions": each}) for each in versions)
    provenance = report.provenance.model_copy(update={"runs": runs})
    notes = tables_of(report.model_copy(update={"provenance": provenance}))[-1].notes
    (found,) = (note for note in notes if note.startswith("Versions"))
    return found


def test_a_package_that_one_row_needs_is_listed_with_the_others(table: SweepOnDisk) -> None:
    found = line(table, COMMON, COMMON | {"peft": "0.21"}, COMMON)
    assert found == "Versions: numpy 2.0, peft 0.21, torch 2.9"


def test_two_versions_of_a_package_are_two_lists(table: SweepOnDisk) -> None:
    found = line(table, COMMON, COMMON | {"torch": "2.10"}, COMMON)
    assert found == "Versions: numpy 2.0, torch 2.9; numpy 2.0, torch 2.10"
