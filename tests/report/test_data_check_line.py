"""What a report says about the check of its data."""

import pytest

from ablate.report.tables import tables_of
from ablate.runs import DataCheck, Finding, PositiveShares
from ablate.spec import BijieData
from report.sweep_on_disk import SweepOnDisk


@pytest.fixture
def real(table: SweepOnDisk) -> SweepOnDisk:
    """A table on images that are not generated."""
    table.protocol = table.protocol.model_copy(update={"data": BijieData(kind="bijie")})
    table.finish("translandseg")
    return table


def outcome(table: SweepOnDisk, **changes: object) -> DataCheck:
    note = Finding(kind="empty-masks", severity="note", message="2 masks are empty", repair="look")
    values = {
        "label": "generated data",
        "digest": table.context.data.digest,
        "split": table.protocol.split,
        "image_size_px": 128,
        "images": 228,
        "train": 159,
        "validation": 69,
        "sizes": None,
        "positive": PositiveShares(all=None, train=None, validation=None),
        "findings": (note,),
        "checked": 0.0,
    }
    return DataCheck.model_validate(values | changes)


def lines(table: SweepOnDisk) -> list[str]:
    provenance = tables_of(table.report())[-1]
    return [note for note in provenance.notes if note.startswith("Data check")]


def test_the_outcome_is_one_line_of_the_provenance(real: SweepOnDisk) -> None:
    real.store.record_data_check(outcome(real))
    assert lines(real) == [
        "Data check (1970-01-01 00:00:00 UTC): 228 images, 0 problems, 1 note: 2 masks are empty"
    ]


def test_sound_data_has_nothing_after_the_counts(real: SweepOnDisk) -> None:
    real.store.record_data_check(outcome(real, findings=()))
    (line,) = lines(real)
    assert line.endswith("228 images, 0 problems, 0 notes")


def test_a_later_check_replaces_an_earlier_one(real: SweepOnDisk) -> None:
    real.store.record_data_check(outcome(real))
    real.store.record_data_check(outcome(real, findings=(), checked=86_400.0))
    (line,) = lines(real)
    assert "1970-01-02" in line
    assert "0 notes" in line


def test_data_that_was_not_checked_says_so(real: SweepOnDisk) -> None:
    split = real.protocol.split.model_copy(update={"seed": 7})
    real.store.record_data_check(outcome(real, split=split))
    real.store.record_data_check(outcome(real, digest="1" * 64))
    (line,) = lines(real)
    assert line.startswith("Data check: not checked; run `ablate data check`")
    assert real.report().provenance.data_check is None


def test_generated_data_needs_no_check(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    assert lines(table) == []


def test_data_without_a_digest_is_not_kept(real: SweepOnDisk) -> None:
    assert not real.store.record_data_check(outcome(real, digest=None))
    assert not (real.store.root / "data-checks").exists()


def test_a_broken_file_is_a_note_with_its_repair(real: SweepOnDisk) -> None:
    real.store.record_data_check(outcome(real))
    (path,) = (real.store.root / "data-checks").glob("*.json")
    path.write_text("{}")
    (note,) = real.report().provenance.notes
    assert "check the data again" in note
