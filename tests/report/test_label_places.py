"""Labels beside points: none on another, none outside, each nearest to its own point."""

import pytest

from ablate.report.figures.labels import Box, Label, placed

BOUNDS = Box(0, 0, 200, 100)


def test_a_lonely_label_stands_to_the_right() -> None:
    (place,) = placed([Label(50, 50, 30, 8)], [], BOUNDS, 4, 5)
    assert place is not None
    assert place.box == pytest.approx((54, 46, 84, 54))
    assert not place.is_led


def test_no_label_lies_on_another_or_outside() -> None:
    labels = [Label(190 - 4 * number, 90 - 2 * number, 8, 8) for number in range(8)]
    markers = [Box(each.x - 3, each.y - 3, each.x + 3, each.y + 3) for each in labels]
    places = placed(labels, markers, BOUNDS, 4, 20)
    boxes = [place.box for place in places if place is not None]
    assert len(boxes) == 8
    for number, box in enumerate(boxes):
        assert BOUNDS.holds(box)
        assert not any(box.meets(other) for other in [*boxes[:number], *markers])


def test_a_label_without_a_line_is_nearest_to_its_own_point() -> None:
    labels = [Label(50, 50, 30, 8), Label(60, 50, 30, 8)]
    places = placed(labels, [Box(57, 47, 63, 53)], BOUNDS, 4, 20)
    first = places[0]
    assert first is not None
    assert first.is_led or first.box.right <= 60


def test_where_there_is_no_room_there_is_no_label() -> None:
    assert placed([Label(50, 50, 300, 8)], [], BOUNDS, 4, 5) == [None]
