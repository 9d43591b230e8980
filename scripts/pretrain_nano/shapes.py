"""The shapes of the objects in pre-training scenes.

A shape is a field over coordinates u and v (HxW each, about one radius in size): positive inside,
falling to zero at the outline.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

# float32 throughout, which NumPy's annotations do not follow through arithmetic.
Field = NDArray[Any]
Shape = Callable[[RandomState, Field, Field], Field]

# So finely an outline given by angle is tabulated.
_ANGLES = 1024


def _polar(u: Field, v: Field) -> tuple[Field, Field]:
    return np.sqrt(u * u + v * v), np.arctan2(v, u)


def _ellipse(rng: RandomState, u: Field, v: Field) -> Field:
    return np.asarray(1 - np.sqrt(u * u + v * v))


def _box(rng: RandomState, u: Field, v: Field) -> Field:
    power = rng.uniform(3, 12)
    return 1 - (np.abs(u) ** power + np.abs(v) ** power) ** np.float32(1 / power)


def _polygon(rng: RandomState, u: Field, v: Field) -> Field:
    corners = rng.randint(3, 8)
    angles = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.25, 0.25, corners)) / corners
    sides = [u * np.float32(np.cos(a)) + v * np.float32(np.sin(a)) for a in angles]
    return np.asarray(np.float32(0.75) - np.maximum.reduce(sides))


def _star(rng: RandomState, u: Field, v: Field) -> Field:
    radius, angle = _polar(u, v)
    points = rng.randint(4, 9)
    tooth = np.abs((angle * points / np.pi) % 2 - 1)
    return 1 - rng.uniform(0.35, 0.6) * tooth - radius


def _blob(rng: RandomState, u: Field, v: Field) -> Field:
    radius, angle = _polar(u, v)
    outline = np.full(_ANGLES, 0.75)
    around = np.linspace(-np.pi, np.pi, _ANGLES)
    decay = rng.uniform(0.6, 1.8)
    for wave in range(2, 9):
        strength = 0.27 * rng.normal() / wave**decay
        outline += strength * np.cos(wave * around + rng.uniform(0, 2 * np.pi))
    nearest = ((angle + np.pi) * ((_ANGLES - 1) / (2 * np.pi)) + 0.5).astype(np.intp)
    return np.asarray(np.maximum(outline, 0.2).astype(np.float32)[nearest] - radius)


def _ring(rng: RandomState, u: Field, v: Field) -> Field:
    width = rng.uniform(0.15, 0.35)
    return np.asarray(width - np.abs(np.sqrt(u * u + v * v) - (1 - width)))


def _bar(rng: RandomState, u: Field, v: Field) -> Field:
    return _beam(u, v, (-0.85, 0), (0.85, 0), rng.uniform(0.12, 0.3))


def _crescent(rng: RandomState, u: Field, v: Field) -> Field:
    shift = rng.uniform(0.3, 0.6)
    bite = np.sqrt((u - shift) ** 2 + v * v) - rng.uniform(0.65, 0.9)
    return np.asarray(np.minimum(1 - np.sqrt(u * u + v * v), bite))


def _cup(rng: RandomState, u: Field, v: Field) -> Field:
    slant = rng.uniform(0, 0.25)
    body = np.minimum(0.6 - slant * v - np.abs(u), 0.85 - np.abs(v))
    handle = 0.13 - np.abs(np.sqrt((u - 0.62) ** 2 + v * v) - 0.38)
    return np.maximum(body, np.where(u > 0.3, handle, np.float32(-1)))


def _lamp(rng: RandomState, u: Field, v: Field) -> Field:
    shade = np.minimum(0.35 + 0.4 * (v + 1) - np.abs(u), 0.45 - np.abs(v + 0.5))
    stem = _beam(u, v, (0, -0.2), (0, 0.8), 0.09)
    foot = 1 - np.sqrt((u / 0.5) ** 2 + ((v - 0.85) / 0.15) ** 2)
    return np.maximum(np.maximum(shade, stem), np.float32(0.15) * foot)


def _letter(rng: RandomState, u: Field, v: Field) -> Field:
    strokes = _LETTERS[rng.randint(len(_LETTERS))]
    width = rng.uniform(0.14, 0.24)
    return np.asarray(np.maximum.reduce([_beam(u, v, start, end, width) for start, end in strokes]))


def _beam(
    u: Field, v: Field, start: tuple[float, float], end: tuple[float, float], width: float
) -> Field:
    """Within a width of the line from start to end."""
    du, dv = end[0] - start[0], end[1] - start[1]
    along = np.clip(((u - start[0]) * du + (v - start[1]) * dv) / (du * du + dv * dv), 0, 1)
    across = np.sqrt((u - start[0] - along * du) ** 2 + (v - start[1] - along * dv) ** 2)
    return np.float32(width) - across


_LETTERS: tuple[tuple[tuple[tuple[float, float], tuple[float, float]], ...], ...] = (
    (((-0.5, -0.8), (-0.5, 0.8)), ((-0.5, 0.8), (0.5, 0.8))),
    (((-0.7, -0.8), (0.7, -0.8)), ((0, -0.8), (0, 0.8))),
    (((-0.6, -0.8), (-0.6, 0.8)), ((0.6, -0.8), (0.6, 0.8)), ((-0.6, 0), (0.6, 0))),
    (((-0.6, 0.8), (0, -0.8)), ((0, -0.8), (0.6, 0.8))),
    (((-0.8, 0), (0.8, 0)), ((0, -0.8), (0, 0.8))),
    (((-0.6, -0.8), (0.6, -0.8)), ((0.6, -0.8), (-0.6, 0.8)), ((-0.6, 0.8), (0.6, 0.8))),
)
# A shape, whether it stands upright, how often.
SHAPES: tuple[tuple[Shape, bool, float], ...] = (
    (_ellipse, False, 0.14),
    (_box, False, 0.14),
    (_polygon, False, 0.13),
    (_star, False, 0.07),
    (_blob, False, 0.24),
    (_ring, False, 0.06),
    (_bar, False, 0.06),
    (_crescent, False, 0.04),
    (_cup, True, 0.05),
    (_lamp, True, 0.03),
    (_letter, True, 0.04),
)
SHARES = np.array([share for _, _, share in SHAPES])
