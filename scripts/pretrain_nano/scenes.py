"""Everyday-like scenes with many objects: the source domain of SAM-nano's pre-training.

A scene is painted from back to front, as a still life is: a background (room, street, cloth or
plain cloudiness) with clutter, then four to twelve objects of many shapes and materials. One light
shades them all and casts their soft shadows. Nothing of it looks like the target domain
(``ablate.data.generated``): there, land is seen from above in earth colours; here, things stand
and lie before each other in any colour.

Lengths are in frame widths. The stream is NumPy's legacy one, which is promised never to change.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy import ndimage

from scripts.pretrain_nano.shapes import SHAPES, SHARES, Field

Colour = NDArray[Any]

SIZE_PX = 128
SMALLEST_PX = 30
"""Objects of which fewer pixels are seen are part of the picture, but have no mask."""

_COUNT = (4, 12)


@dataclass(frozen=True)
class _Picture:
    """What has been painted so far.

    Attributes:
        y: Rows of the pixels' centres, Hx1.
        x: Columns of the pixels' centres, 1xW.
        light: Towards the light along (x, y), of length 1, seen in the picture's plane.
        colour: 3xHxW in [0, 1], painted in place.
        labels: Number of the object that each pixel shows, HxW; 0: none. Painted in place.
    """

    y: Field
    x: Field
    light: tuple[float, float]
    colour: Field
    labels: NDArray[np.uint8]

    def paint(self, cover: Field, colour: Field) -> None:
        """Lays a colour (3x1x1 or 3xHxW) over the picture, weighted by cover (HxW, in [0, 1])."""
        self.colour[...] += cover * (colour - self.colour)

    def local(
        self, centre: tuple[float, float], angle: float, radii: tuple[float, float]
    ) -> tuple[Field, Field]:
        """Turned and stretched coordinates about a centre (x, y), two times HxW."""
        x, y = self.x - centre[0], self.y - centre[1]
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        return (cos * x + sin * y) / radii[0], (cos * y - sin * x) / radii[1]


def scene(seed: int, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Paints one scene.

    Args:
        seed: Seed of the set of scenes.
        index: Number of the scene in the set.

    Returns:
        The image (HxWx3, RGB) and its labels (HxW): object n is what shows where they are n, from
        1 on without gaps; 0 is what has no mask.
    """
    rng = RandomState([seed, index])
    steps = ((np.arange(SIZE_PX) + 0.5) / SIZE_PX).astype(np.float32)
    side = rng.uniform(0, 2 * np.pi)
    picture = _Picture(
        y=steps[:, None],
        x=steps[None, :],
        light=(float(np.cos(side)), float(np.sin(side))),
        colour=np.zeros((3, SIZE_PX, SIZE_PX), np.float32),
        labels=np.zeros((SIZE_PX, SIZE_PX), np.uint8),
    )
    _BACKGROUNDS[rng.randint(len(_BACKGROUNDS))](rng, picture)
    _strew_clutter(rng, picture)
    count = rng.randint(_COUNT[0], _COUNT[1] + 1)
    # What is nearer is lower in the picture, and hides what is further away.
    for number, height in enumerate(np.sort(rng.uniform(0.08, 0.92, count)), start=1):
        _place(rng, picture, number, float(height), count)
    return _photograph(rng, picture.colour), _numbered(picture.labels)


def masks_of(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The objects' visible pixels, NxHxW, from labels (HxW)."""
    numbers = np.arange(1, int(labels.max()) + 1)
    masks: NDArray[np.bool_] = labels == numbers[:, None, None]
    return masks


def _numbered(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Drops what is hardly seen and closes the gaps in the numbering."""
    seen = np.bincount(labels.ravel(), minlength=_COUNT[1] + 1) >= SMALLEST_PX
    seen[0] = False
    return np.where(seen, np.cumsum(seen), 0).astype(np.uint8)[labels]


# Colours and textures -----------------------------------------------------------------------


def _any_colour(rng: RandomState) -> Colour:
    """A colour of any hue, mostly saturated, 3x1x1."""
    hue, value = rng.uniform(0, 6), rng.uniform(0.25, 1.0)
    saturation = rng.beta(2.0, 1.3)
    wheel = np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1
    rgb = value * (1 - saturation + saturation * np.clip(wheel, 0, 1))
    return np.asarray(rgb.astype(np.float32)[:, None, None])


def _second_colour(rng: RandomState, first: Colour) -> Colour:
    """What a texture is drawn with: a shade of the first colour, or any other one."""
    if rng.uniform() < 0.5:
        return np.clip(first * rng.uniform(0.45, 1.6), 0, 1).astype(np.float32)
    return _any_colour(rng)


def _cloud(rng: RandomState, cells: int) -> Field:
    """A smooth random field in [0, 1] with so many cells along each side, HxW."""
    knots = rng.uniform(0, 1, (cells + 1, cells + 1)).astype(np.float32)
    place = np.linspace(0, cells, SIZE_PX, dtype=np.float32)[:, None]
    weights = np.maximum(0, 1 - np.abs(place - np.arange(cells + 1, dtype=np.float32)))
    field: Field = weights @ knots @ weights.T
    return field


def _texture(rng: RandomState, u: Field, v: Field) -> Field:
    """A pattern in [0, 1] over coordinates in frame widths (HxW each)."""
    kind = rng.choice(8, p=[0.2, 0.15, 0.1, 0.12, 0.15, 0.12, 0.08, 0.08])
    period = np.float32(rng.uniform(0.04, 0.16))
    sharp = np.float32(rng.uniform(2, 8))
    if kind == 0:
        return np.float32(0) * (u + v)
    if kind == 1:
        return _step(sharp * np.sin(2 * np.pi * u / period))
    if kind == 2:
        return _step(sharp * np.sin(2 * np.pi * u / period) * np.sin(2 * np.pi * v / period))
    if kind == 3:
        dots = np.cos(2 * np.pi * u / period) + np.cos(2 * np.pi * v / period)
        return _step(sharp * (dots - rng.uniform(0.2, 1.2)))
    if kind == 4:
        return _cloud(rng, int(rng.choice([8, 16, 32])))
    if kind == 5:
        return np.clip(0.5 + (u * rng.uniform(-1, 1) + v * rng.uniform(-1, 1)) * 3, 0, 1)
    if kind == 6:
        return _step(sharp * np.sin(2 * np.pi * np.sqrt(u * u + v * v) / period))
    return rng.uniform(0, 1, (SIZE_PX, SIZE_PX)).astype(np.float32)


def _step(value: Field) -> Field:
    """From 0 to 1 as the value goes from -1 to 1."""
    return np.clip(0.5 + 0.5 * value, 0, 1)


def _material(rng: RandomState, colour: Colour, u: Field, v: Field) -> Field:
    """A colour with a pattern on it, 3xHxW."""
    pattern = _texture(rng, u, v) * np.float32(rng.uniform(0.3, 1.0))
    return np.asarray(colour + pattern * (_second_colour(rng, colour) - colour))


# Backgrounds --------------------------------------------------------------------------------


def _room(rng: RandomState, picture: _Picture) -> None:
    """A wall and, in perspective, a floor or a table before it."""
    _surface(rng, picture, rng.uniform(0, np.pi))
    horizon = picture.x * rng.uniform(-0.15, 0.15) + rng.uniform(0.25, 0.75)
    below = picture.y - horizon
    depth = 1 / np.maximum(below + 0.12, 0.05)
    along = (picture.x - rng.uniform(0.2, 0.8)) * depth * 0.25
    floor = _material(rng, _any_colour(rng), along, depth * 0.08 + 0 * picture.x)
    picture.paint(_step(below * SIZE_PX), floor)


def _street(rng: RandomState, picture: _Picture) -> None:
    """A sky, houses with windows, and a road to the horizon."""
    high, low = _any_colour(rng), _any_colour(rng)
    picture.colour[...] = high + picture.y * (low - high)
    left = 0.0
    ground = rng.uniform(0.45, 0.7)
    while left < 1:
        width = rng.uniform(0.1, 0.35)
        across, down = picture.x - left, picture.y - rng.uniform(0.05, 0.45)
        windows = _step(4 * np.sin(across * rng.uniform(50, 100)) * np.sin(down * 70) - 1)
        wall = _any_colour(rng)
        inside = np.minimum(np.minimum(across, width - across), down) * SIZE_PX
        picture.paint(_step(inside), wall + windows * (_second_colour(rng, wall) - wall))
        left += width
    below = picture.y - ground + 0 * picture.x
    picture.paint(_step(below * SIZE_PX), _material(rng, _any_colour(rng), below * 0.5, below))
    away = np.abs(picture.x - rng.uniform(0.3, 0.7)) - 0.05
    road = np.minimum(below, below * rng.uniform(0.5, 1.5) - away)
    picture.paint(_step(road * SIZE_PX), _any_colour(rng))


def _cloth(rng: RandomState, picture: _Picture) -> None:
    """One patterned surface with folds, and another one over part of it."""
    _surface(rng, picture, rng.uniform(0, np.pi))
    u, v = picture.local((0.5, 0.5), rng.uniform(0, np.pi), (1, 1))
    edge = (u - rng.uniform(-0.4, 0.4)) * SIZE_PX
    picture.paint(_step(edge), _material(rng, _any_colour(rng), u, v))
    folds = 1 + rng.uniform(0.05, 0.3) * (_cloud(rng, 4) - 0.5)
    picture.colour[...] *= folds


def _cloudy(rng: RandomState, picture: _Picture) -> None:
    """Nothing to recognise: colours that run into each other."""
    for cells in (2, 4, 8):
        picture.paint(_cloud(rng, cells), _any_colour(rng))


def _surface(rng: RandomState, picture: _Picture, angle: float) -> None:
    u, v = picture.local((0.5, 0.5), angle, (1, 1))
    picture.colour[...] = _material(rng, _any_colour(rng), u, v)


_BACKGROUNDS = (_room, _room, _street, _cloth, _cloudy)


def _strew_clutter(rng: RandomState, picture: _Picture) -> None:
    """Lines and specks that no mask is for."""
    for _ in range(rng.randint(0, 8)):
        centre = (rng.uniform(0, 1), rng.uniform(0, 1))
        radii = (rng.uniform(0.01, 0.6), rng.uniform(0.004, 0.012))
        u, v = picture.local(centre, rng.uniform(0, np.pi), radii)
        inside = (1 - np.maximum(np.abs(u), np.abs(v))) * np.float32(2)
        picture.paint(_step(inside) * np.float32(rng.uniform(0.3, 1)), _any_colour(rng))


# Objects ------------------------------------------------------------------------------------


def _place(rng: RandomState, picture: _Picture, number: int, height: float, count: int) -> None:
    """Puts one object, with its shadow, before all that is there."""
    centre = (rng.uniform(0.05, 0.95), height)
    # Many objects are small ones, and what is nearer looks larger.
    radius = rng.uniform(0.07, 0.24) * (0.8 + 0.4 * height) * (1.15 - 0.03 * count)
    stretch = float(np.exp(rng.uniform(-0.5, 0.5)))
    shape, upright, _ = SHAPES[rng.choice(len(SHAPES), p=SHARES)]
    angle = rng.uniform(-0.2, 0.2) if upright else rng.uniform(0, 2 * np.pi)
    u, v = picture.local(centre, angle, (radius * stretch, radius / stretch))
    inside = shape(rng, u, v).astype(np.float32)
    cover = _step(inside * np.float32(2 * radius * SIZE_PX))
    _cast_shadow(rng, picture, cover, radius)
    colour = _any_colour(rng)
    if rng.uniform() < 0.2:
        # Hard to distinguish from what lies behind: its colour, somewhat changed.
        behind = picture.colour[
            :, min(int(height * SIZE_PX), SIZE_PX - 1), int(centre[0] * SIZE_PX)
        ]
        colour = np.clip(behind[:, None, None] * rng.uniform(0.7, 1.35), 0, 1).astype(np.float32)
    surface = _material(rng, colour, u * np.float32(radius), v * np.float32(radius))
    picture.paint(cover, _lit(rng, picture, surface, inside, centre, radius))
    picture.labels[cover > 0.5] = number


def _cast_shadow(rng: RandomState, picture: _Picture, cover: Field, radius: float) -> None:
    """Darkens what lies behind, away from the light."""
    if rng.uniform() < 0.25:
        return
    away_px = rng.uniform(0.1, 0.6) * radius * SIZE_PX
    shift = (-picture.light[1] * away_px, -picture.light[0] * away_px)
    shadow = np.roll(cover, (round(shift[0]), round(shift[1])), axis=(0, 1))
    soft = ndimage.uniform_filter(shadow, int(rng.randint(2, 7)))
    picture.colour[...] *= 1 - np.float32(rng.uniform(0.2, 0.6)) * soft


def _lit(
    rng: RandomState,
    picture: _Picture,
    surface: Field,
    inside: Field,
    centre: tuple[float, float],
    radius: float,
) -> Field:
    """Light on an object (3xHxW): bright towards the lamp, dim away from it, perhaps glossy."""
    x, y = (picture.x - centre[0]) / radius, (picture.y - centre[1]) / radius
    facing = x * np.float32(picture.light[0]) + y * np.float32(picture.light[1])
    # A round body falls off to its outline, a flat one does not.
    edge = np.clip(1 - inside, 0, 1) * rng.uniform(0, 0.8)
    lit = surface * np.clip(1 + rng.uniform(0, 0.5) * facing * (0.4 + edge), 0.25, 1.6)
    if rng.uniform() < 0.3:
        gloss_x, gloss_y = x - 0.4 * picture.light[0], y - 0.4 * picture.light[1]
        gloss = np.exp(-(gloss_x**2 + gloss_y**2) / rng.uniform(0.01, 0.06))
        lit = lit + np.float32(rng.uniform(0.2, 0.7)) * gloss
    return np.asarray(np.clip(lit, 0, 1))


def _photograph(rng: RandomState, colour: Field) -> NDArray[np.uint8]:
    """Uneven light, optics and noise of a camera; from 3xHxW to HxWx3."""
    light = 1 + rng.uniform(0, 0.3) * (_cloud(rng, 2) - 0.5)
    image = colour * light * rng.uniform(0.8, 1.15)
    blur_px = rng.uniform(0.2, 0.8)
    image = ndimage.gaussian_filter(image, (0, blur_px, blur_px), truncate=2.5)
    image = image + rng.uniform(0, 0.03) * rng.standard_normal(image.shape)
    levels = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))
