"""Where labels of points go, so that none lies on another; plain geometry, in any unit."""

import math
from collections.abc import Sequence
from typing import NamedTuple

_DIRECTIONS = 16
# In steps: from which distance on a line leads to a label, and half of what it keeps free.
_LED, _FREE = 2, 0.3


class Box(NamedTuple):
    """A rectangle with its sides along the axes."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box") -> bool:
        """Whether the two have a part in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def has(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def holds(self, other: "Box") -> bool:
        """Whether the other lies inside."""
        return (
            self.left <= other.left
            and self.bottom <= other.bottom
            and other.right <= self.right
            and other.top <= self.top
        )


class Label(NamedTuple):
    """A text to be placed: the point that it belongs to, and its size."""

    x: float
    y: float
    width: float
    height: float


class Place(NamedTuple):
    """Where a text goes.

    Attributes:
        box: The place.
        is_led: Whether a line is to lead from the point to it.
        end: Where that line ends, as shares of the box's width and height.
    """

    box: Box
    is_led: bool
    end: tuple[float, float]


def placed(
    labels: Sequence[Label], taken: Sequence[Box], bounds: Box, step: float, most: int
) -> list[Place | None]:
    """A place for each label, as near to its point as there is room; deterministic.

    A label without a line is nearer to its own point than to any other, and no line crosses a
    label.

    Args:
        labels: In the order of their precedence.
        taken: Where no label may lie: markers and bars.
        bounds: Outside of it no label may lie either.
        step: The shortest distance of a label from its point, and that between two attempts.
        most: At how many distances a place is looked for.

    Returns:
        None where there is no room.
    """
    points = [(label.x, label.y) for label in labels]
    full, written = list(taken), list[Box]()
    places: list[Place | None] = []
    for label in labels:
        others = [box for box in taken if not box.has(label.x, label.y)]
        found = None
        # A line across the marker of another point is better than no label.
        for barriers in ([*written, *others], written):
            for box in _candidates(label, step, most) if found is None else ():
                if not bounds.holds(box) or any(box.meets(other) for other in full):
                    continue
                own = _distance(box, label.x, label.y)
                line = _dots(label, box, step) if own > _LED * step else []
                if any(dot.meets(other) for dot in line for other in barriers):
                    continue
                near = (_distance(box, *each) for each in points if each != (label.x, label.y))
                if line or all(distance > own + 1e-9 for distance in near):
                    found = Place(box, bool(line), _end(label, box))
                    full += [box, *line]
                    written.append(box)
                    break
        places.append(found)
    return places


def _distance(box: Box, x: float, y: float) -> float:
    return math.dist((x, y), _nearest(box, x, y))


def _nearest(box: Box, x: float, y: float) -> tuple[float, float]:
    return min(max(x, box.left), box.right), min(max(y, box.bottom), box.top)


def _end(label: Label, box: Box) -> tuple[float, float]:
    x, y = _nearest(box, label.x, label.y)
    return (x - box.left) / label.width, (y - box.bottom) / label.height


def _dots(label: Label, box: Box, step: float) -> list[Box]:
    """Small boxes along the line from the point to its label."""
    x, y = _nearest(box, label.x, label.y)
    free = _FREE * step
    count = max(2, math.ceil(math.dist((x, y), (label.x, label.y)) / (2 * free)))
    shares = (number / count for number in range(count))
    spots = ((label.x + share * (x - label.x), label.y + share * (y - label.y)) for share in shares)
    return [Box(x - free, y - free, x + free, y + free) for x, y in spots]


def _candidates(label: Label, step: float, most: int) -> list[Box]:
    """Boxes around the point, from near to far; at each distance beside it comes first."""
    boxes = []
    for ring in range(1, most + 1):
        for number in range(_DIRECTIONS):
            # 0, then one to either side of it, and so on.
            turn = (number + 1) // 2 * (-1) ** number
            angle = 2 * math.pi * turn / _DIRECTIONS
            across, up = math.cos(angle), math.sin(angle)
            x = label.x + ring * step * across + label.width / 2 * _sign(across)
            y = label.y + ring * step * up + label.height / 2 * _sign(up)
            boxes.append(
                Box(
                    x - label.width / 2,
                    y - label.height / 2,
                    x + label.width / 2,
                    y + label.height / 2,
                )
            )
    return boxes


def _sign(value: float) -> float:
    return 0.0 if abs(value) < 1e-9 else math.copysign(1, value)
