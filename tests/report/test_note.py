"""The short form of a report: whole where there is room, and never longer than it may be."""

import pytest

from ablate.report import Report, to_note


def test_a_note_has_the_watermark_the_scores_and_the_claims(report: Report) -> None:
    note = to_note(report, 100_000)
    assert note.startswith(f"**{report.watermark}**\n\n**Table IV, reproduced and published**")
    assert "| TransLandSeg |" in note
    assert "**Claims**" in note
    assert "| failed" in note
    assert "Provenance" not in note
    # Not padded.
    assert "   " not in note


@pytest.mark.parametrize("most", [0, 10, 100, 400, 900, 1100])
def test_what_does_not_fit_is_left_out_and_said(report: Report, most: int) -> None:
    note = to_note(report, most)
    assert len(note) <= most
    assert ("more lines in report.md" in note) == (most >= 900)
    # The scores leave the claims their room.
    assert ("**Claims**" in note) == (most >= 400)
    for line in note.splitlines():
        assert not line.startswith("|") or line.endswith("|")
