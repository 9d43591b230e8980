"""Notes on what rows are judged on."""

import pytest

from ablate.report import images, tables_of
from report.sweep_on_disk import SweepOnDisk


def notes(table: SweepOnDisk) -> list[str]:
    scores = next(each for each in tables_of(table.report()) if each.name == "scores")
    return [note for note in scores.notes if "validation image" in note or "other images" in note]


def finish(table: SweepOnDisk, name: str, number: int, positive: int) -> None:
    """Ends a run of so many images, the first of which show the positive class."""
    images = {
        f"image {place}": (40, 5, 6, 49) if place < positive else (0, 3, 0, 97)
        for place in range(number)
    }
    table.finish(name, pixels_by_image=images)


@pytest.mark.parametrize(
    ("number", "positive", "expected"),
    [
        (50, 20, []),
        (49, 20, ["49 validation images, fewer than 50: intervals hold"]),
        (50, 19, ["Landslide in 19 validation images of 50, fewer than 20: intervals hold"]),
        (
            30,
            1,
            [
                "30 validation images, fewer than 50: intervals hold",
                "Landslide in 1 validation image of 30, fewer than 20: intervals hold",
            ],
        ),
    ],
)
def test_few_images_are_said_to_be_few(
    table: SweepOnDisk, number: int, positive: int, expected: list[str]
) -> None:
    finish(table, "translandseg", number, positive)
    assert [note.partition(" the truth")[0] for note in notes(table)] == expected


def test_runs_whose_images_were_not_drawn_are_counted(
    table: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_MOST_RUNS", 2)
    for name in ("translandseg", "translandseg-1", "translandseg-2"):
        finish(table, name, 50, 20)
    assert notes(table) == [
        "Intervals account for other images in 2 runs; in 1 run more they account for other "
        "trainings alone."
    ]
    # The baseline's come first, then those of the rows in their order.
    deltas = {row.name: row.delta for row in table.report().rows}
    first, second = deltas["translandseg-1"], deltas["translandseg-2"]
    assert first is not None
    assert second is not None
    assert (first.method, second.method) == ("images", None)


def test_without_results_there_is_no_note(table: SweepOnDisk) -> None:
    assert notes(table) == []
