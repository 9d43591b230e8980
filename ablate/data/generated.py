"""Procedural landslide scenes that look like optical satellite images.

A scene is painted as a landscape is: terrain from band-limited noise with a valley, vegetation
with its seasons, fields, rock, quarries, a river, roads and houses; then landslides, each
released on a steep slope and traced downslope. Every layer gives a colour *and* a height, so that
one sun lights hills, tree crowns, head scarps and quarry benches alike. Fields, rock, quarries and
roads share the scene's soil colours with the landslides: they differ in shape, texture and
place, not in brightness and colour.

All lengths are in frame widths and all noise is cut off at the same number of cycles per frame:
``(seed, index)`` decides the landscape, ``size_px`` only how finely it is sampled. The constants
of the looks were tuned by eye on contact sheets.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from ablate.data.terrain import (
    Field,
    Land,
    blend,
    mix,
    noise,
    raise_land,
    slopes,
    smoothstep,
    wavy_line,
)

_FOREST = np.array([[0.15, 0.25, 0.14], [0.13, 0.22, 0.17], [0.27, 0.26, 0.14], [0.24, 0.25, 0.19]])
_GRASS = np.array([[0.30, 0.40, 0.20], [0.27, 0.37, 0.26], [0.42, 0.41, 0.23], [0.36, 0.38, 0.27]])
_SOIL = np.array([[0.54, 0.36, 0.28], [0.60, 0.49, 0.35], [0.50, 0.48, 0.44], [0.68, 0.62, 0.53]])
_WATER = np.array([[0.22, 0.28, 0.25], [0.36, 0.37, 0.28], [0.20, 0.25, 0.28]])
_ROAD = np.array([[0.74, 0.72, 0.67], [0.66, 0.60, 0.50], [0.50, 0.50, 0.49]])
_ROOF = np.array([[0.80, 0.80, 0.80], [0.55, 0.58, 0.66], [0.60, 0.40, 0.34]])
_HAZE = np.array([0.66, 0.71, 0.76])[:, None, None]

_PATH_POINTS = 24
_CANDIDATE_PATHS = 48
_PARCELS = 2048


@dataclass(frozen=True)
class _Scar:
    """One landslide in the coordinates of its own flow.

    Attributes:
        inside: Distance to the boundary, HxW, in frame widths, positive inside.
        along: Position from head (0) to foot (1), HxW.
        across: Signed distance from the path, HxW, in frame widths.
    """

    inside: Field
    along: Field
    across: Field


def scene(seed: int, index: int, size_px: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Paints one landscape with one to four landslides.

    Args:
        seed: Seed of the data set.
        index: Number of the scene within the data set.
        size_px: Side of the square image in pixels.

    Returns:
        The image (HxWx3, RGB) and the mask (HxW, True on landslides).
    """
    rng = np.random.default_rng([seed, index])
    land = raise_land(rng, size_px)
    scars = _release_scars(rng, land)
    soil = blend(rng, _SOIL)
    meadow = _grow_vegetation(rng, land)
    _plough_fields(rng, land, soil)
    _expose_rock(rng, land, soil)
    _dig_quarries(rng, land, soil)
    _run_river(rng, land, soil)
    _build_roads(rng, land, soil)
    for scar in scars:
        _slide(rng, land, scar, soil, meadow)
    image = _veil(rng, land.albedo * _sunlight(rng, land.surface))
    return _photograph(rng, image), np.any([scar.inside > 0 for scar in scars], axis=0)


def _release_scars(rng: Generator, land: Land) -> list[_Scar]:
    """One to four landslides where the ground falls most, apart from each other."""
    count = rng.choice([1, 2, 3, 4], p=[0.4, 0.35, 0.18, 0.07])
    start = rng.uniform(0.12, 0.88, (_CANDIDATE_PATHS, 2))
    length = rng.uniform(0.26, 0.58, _CANDIDATE_PATHS) * (1.1 - 0.1 * count)
    slope = land.smoothed(0.06)
    paths = _trace_downslope(slope, start, length)
    head, foot = _at(slope, paths[:, 0]), _at(slope, paths[:, -1])
    leaves = np.any((paths < 0.04) | (paths > 0.96), axis=(1, 2))
    curls = np.hypot(*(paths[:, -1] - paths[:, 0]).T) < 0.85 * length
    merit = (head - foot) / length - 2.0 * leaves - 1.0 * curls
    middle = paths[:, _PATH_POINTS // 2]
    scars = []
    for _ in range(count):
        best = int(np.argmax(merit))
        scars.append(_spread(rng, land, paths[best], float(length[best])))
        merit -= 4.0 * (np.hypot(*(middle - middle[best]).T) < 0.33)
    return scars


def _at(field: Field, points: Field) -> Field:
    """Values of a field (HxW or HxWxC) at points (Nx2; row, column; in frame widths)."""
    row, column = np.clip(points * len(field), 0, len(field) - 1).astype(int).T
    return np.asarray(field[row, column])


def _trace_downslope(ground: Field, start: Field, length: Field) -> Field:
    """Paths, NxPx2 from head to foot, that a moving mass takes down a smooth ground (HxW).

    It starts at the given points (Nx2; row, column) and goes on for the given lengths (N).
    """
    fall = -np.stack(slopes(ground), axis=-1)
    points = [start]
    heading = np.zeros_like(start)
    for _ in range(_PATH_POINTS - 1):
        pull = _at(fall, points[-1])
        heading = 0.8 * heading + 0.2 * pull / (np.hypot(*pull.T)[:, None] + 1e-9)
        heading /= np.hypot(*heading.T)[:, None] + 1e-9
        points.append(points[-1] + heading * length[:, None] / (_PATH_POINTS - 1))
    return np.stack(points, axis=1)


def _spread(rng: Generator, land: Land, path: Field, length: float) -> _Scar:
    """Gives a path (Px2) its width: a rounded head, a neck and a spreading tongue."""
    along = np.linspace(0.0, 1.0, _PATH_POINTS)
    broad = rng.uniform(0.065, 0.09) + rng.uniform(-0.04, 0.12) * length
    head, foot = rng.uniform(0.75, 1.1), rng.uniform(0.8, 1.3)
    width = broad * (head + (foot - head) * along - rng.uniform(0.0, 0.35) * np.sin(np.pi * along))
    inside = np.full_like(land.ground, -np.inf)
    nearest = np.zeros(inside.shape, dtype=np.intp)
    for number, (y, x) in enumerate(path):
        reach = width[number] - np.sqrt((land.y - y) ** 2 + (land.x - x) ** 2)
        np.copyto(nearest, number, where=reach > inside)
        np.maximum(inside, reach, out=inside)
    step = np.gradient(path, axis=0)
    step_y, step_x = (step.T / np.hypot(*step.T))[:, nearest]
    away_y, away_x = land.y - path[nearest, 0], land.x - path[nearest, 1]
    return _Scar(
        inside=inside + 0.1 * broad * noise(rng, len(inside), 4, 12, 1.0),
        along=along[nearest] + (away_y * step_y + away_x * step_x) / length,
        across=away_x * step_y - away_y * step_x,
    )


def _grow_vegetation(rng: Generator, land: Land) -> Field:
    """Forest with crowns and meadows between; returns the meadow's colour, 3xHxW."""
    size_px = len(land.ground)
    season = rng.dirichlet(np.full(len(_FOREST), 0.5)) * rng.uniform(0.85, 1.15)
    mottle = land.grain + noise(rng, size_px, 1, 12, 1.0)
    crowns = noise(rng, size_px, rng.uniform(9, 18), rng.uniform(26, 56), 0.0)
    edge = rng.uniform(-1.6, 0.9)
    where = noise(rng, size_px, 1, 24, 1.3) - 1.5 * (land.valley < 0.05)
    forest = smoothstep(where, edge - 0.15, edge + 0.15)
    meadow = np.asarray(mix(_GRASS, season) * (1.0 + 0.07 * mottle))
    land.paint(np.ones_like(forest), meadow)
    land.paint(forest, mix(_FOREST, season) * (1.0 + 0.05 * mottle + 0.2 * crowns))
    land.level(forest, land.ground + rng.uniform(0.003, 0.006) * (crowns + 1.0))
    return meadow


def _plough_fields(rng: Generator, land: Land, soil: Field) -> None:
    """Parcels in rows on part of the land: crops, stubble and bare earth."""
    if rng.random() < 0.3:
        return
    u, v = land.rotated(np.zeros(2), rng.uniform(0.0, np.pi))
    contours = v + rng.uniform(0.0, 2.0) * (land.ground - land.ground.mean())
    row = np.floor(contours * rng.uniform(6, 14)).astype(int)
    column = np.floor(u * rng.uniform(3, 8) + 0.37 * row).astype(int)
    parcel = (row * 41 + column) % _PARCELS
    crops = [blend(rng, _GRASS), blend(rng, _GRASS) * 1.15, blend(rng, _SOIL), soil]
    sown = rng.choice(len(crops), _PARCELS, p=[0.42, 0.3, 0.14, 0.14])
    tones = np.hstack(crops)[:, sown, 0] * rng.uniform(0.75, 1.2, _PARCELS)
    where = noise(rng, len(parcel), 1, 6, 1.0) - rng.uniform(-0.3, 1.0)
    farmed = np.bincount(parcel.ravel(), where.ravel(), _PARCELS) > 0.0
    cover = farmed[parcel].astype(np.float64)
    land.paint(cover, tones[:, parcel] * (1.0 + 0.06 * land.grain))
    land.level(cover, land.ground)


def _expose_rock(rng: Generator, land: Land, soil: Field) -> None:
    """Bare ground in ragged speckles, mostly on crests."""
    crest = land.ground - land.smoothed(0.08)
    where = noise(rng, len(crest), 2, 8, 0.5) + crest / crest.std()
    speckle = noise(rng, len(crest), 6, 40, 1.0)
    edge = rng.uniform(1.9, 3.3)
    cover = 0.9 * smoothstep(where + 0.7 * speckle, edge, edge + 0.6)
    land.paint(cover, soil * rng.uniform(0.8, 1.2) * (1.0 + 0.12 * speckle))


def _dig_quarries(rng: Generator, land: Land, soil: Field) -> None:
    """Pits with angular outlines and benches."""
    for _ in range(rng.choice([0, 1, 2], p=[0.5, 0.4, 0.1])):
        u, v = land.rotated(rng.uniform(0.1, 0.9, 2), rng.uniform(0.0, np.pi))
        outline = (np.abs(u / rng.uniform(0.7, 1.5)) ** 3 + np.abs(v) ** 3) ** (1 / 3)
        radius = rng.uniform(0.07, 0.14)
        inside = radius - outline + 0.014 * noise(rng, len(outline), 3, 12, 0.8)
        cover = smoothstep(inside, 0.0, 0.012)
        benches = np.floor(np.clip(inside, 0.0, 0.6 * radius) * rng.uniform(35, 55))
        stone = (0.7 * soil + 0.3 * soil.mean()) * rng.uniform(0.95, 1.3)
        land.paint(cover, stone * (1.0 + 0.06 * land.grain))
        land.level(cover, land.smoothed(0.06) - 0.008 * benches)


def _run_river(rng: Generator, land: Land, soil: Field) -> None:
    """Water in the valley, mostly with gravel banks."""
    if rng.random() < 0.6:
        return
    width = rng.uniform(0.012, 0.04) * (1.0 + 0.3 * noise(rng, len(land.ground), 1, 6, 1.0))
    bank = width + rng.uniform(0.0, 0.025) * (1.0 + noise(rng, len(width), 2, 12, 0.8))
    gravel = soil * (1.05 + 0.08 * land.grain)
    land.paint(smoothstep(bank - land.valley, -0.004, 0.008), gravel)
    wet = smoothstep(width - land.valley, -0.004, 0.008)
    land.paint(wet, blend(rng, _WATER))
    land.level(wet, land.smoothed(0.05))


def _build_roads(rng: Generator, land: Land, soil: Field) -> None:
    """A road in bends with cut banks, sometimes with houses, and tracks."""
    for number in range(rng.choice([0, 1, 2, 3], p=[0.2, 0.4, 0.25, 0.15])):
        distance = wavy_line(rng, land.y, land.x, rng.uniform(0.02, 0.05))
        paved = number == 0
        width = rng.uniform(0.007, 0.013) if paved else rng.uniform(0.004, 0.008)
        bank = width + rng.uniform(0.0, 0.015) * (1.0 + land.grain)
        land.paint(0.7 * smoothstep(bank - distance, -0.004, 0.006), soil)
        strip = smoothstep(width - distance, -0.005, 0.005)
        land.paint(strip, blend(rng, _ROAD) if paved else soil * 1.1)
        land.level(strip, land.ground)
        if paved and rng.random() < 0.5:
            _build_houses(rng, land, distance)


def _build_houses(rng: Generator, land: Land, road: Field) -> None:
    """A few roofs near a road, clear of it."""
    angle = rng.uniform(0.0, np.pi)
    sites = rng.uniform(0.05, 0.95, (16, 2))
    sides = rng.uniform([0.01, 0.007], [0.025, 0.014], (16, 2))
    roofs = rng.dirichlet([0.5, 0.5, 0.5], 16)
    away = _at(road, sites)
    for house in np.flatnonzero((away > 0.025) & (away < 0.12)):
        u, v = land.rotated(sites[house], angle)
        outside = np.maximum(np.abs(u) - sides[house, 0], np.abs(v) - sides[house, 1])
        cover = smoothstep(-outside, -0.004, 0.004)
        land.paint(cover, mix(_ROOF, roofs[house]))
        land.level(cover, land.ground + 0.012)


def _slide(rng: Generator, land: Land, scar: _Scar, soil: Field, meadow: Field) -> None:
    """Strips the cover off a scar, hollows its head, heaps up its foot and lets some regrow."""
    cover = smoothstep(scar.inside, -0.006, 0.008)
    lanes = noise(rng, 128, 4, 50, 1.0)
    drawn_out = [scar.along * 16.0, scar.across * 160.0]
    streaks = ndimage.map_coordinates(lanes, drawn_out, order=1, mode="grid-wrap")
    contrast = rng.uniform(0.05, 0.13)
    fresh = soil * rng.uniform(0.85, 1.2)
    deposit = 0.65 * soil + 0.3 * blend(rng, _SOIL)
    carried = np.clip(scar.along + 0.25 * streaks, 0.0, 1.0)
    debris = fresh + carried * (deposit - fresh)
    land.paint(cover, debris * (1.0 + contrast * streaks + 0.07 * land.grain))

    green = noise(rng, len(cover), 3, 24, 0.8) + 0.5 * streaks + scar.along - 0.5
    bare = rng.uniform(0.6, 2.6)
    land.paint(0.75 * cover * smoothstep(green, bare, bare + 0.6), meadow)

    hollow = np.clip(1.0 - 1.7 * scar.along, -0.5, 1.0) * rng.uniform(0.014, 0.03)
    depth = np.clip(scar.inside / 0.03, 0.0, 1.0) * hollow
    relief = 0.02 * contrast * streaks + 0.001 * land.grain
    land.level(cover, land.smoothed(0.025) - depth + relief)


def _sunlight(rng: Generator, surface: Field) -> Field:
    """Light on every pixel, HxW, from a sun somewhere in the sky."""
    azimuth, altitude = rng.uniform(0.0, 2.0 * np.pi), np.deg2rad(rng.uniform(40.0, 65.0))
    rise_y, rise_x = slopes(surface)
    away = np.cos(altitude) * (np.sin(azimuth) * rise_y + np.cos(azimuth) * rise_x)
    facing = (np.sin(altitude) - away) / np.sqrt(1.0 + rise_y**2 + rise_x**2)
    ambient = rng.uniform(0.4, 0.6)
    return np.asarray(ambient + (1.0 - ambient) * np.clip(facing, 0.0, None) / np.sin(altitude))


def _veil(rng: Generator, image: Field) -> Field:
    """Haze over everything and, in some scenes, thin clouds with their shadows; 3xHxW."""
    size_px = image.shape[-1]
    if rng.random() < 0.3:
        cloud = noise(rng, size_px, 1, 20, 1.4)
        edge = rng.uniform(0.4, 1.6)
        away_px = (rng.uniform(-0.2, 0.2, 2) * size_px).astype(int)
        shadow = np.roll(cloud, away_px, axis=(0, 1))
        image = image * (1.0 - 0.35 * smoothstep(shadow, edge, edge + 1.2))
        thin = rng.uniform(0.3, 0.75) * smoothstep(cloud, edge, edge + 1.5)
        image = image + thin * (0.92 - image)
    return np.asarray(image + rng.uniform(0.0, 0.3) ** 1.5 * (_HAZE - image))


def _photograph(rng: Generator, image: Field) -> NDArray[np.uint8]:
    """Exposure, white balance, optics and noise of a camera; from 3xHxW to HxWx3."""
    image = image * rng.uniform(0.85, 1.2) * rng.uniform(0.95, 1.05, (3, 1, 1))
    blur_px = rng.uniform(0.002, 0.006) * image.shape[-1]
    image = ndimage.gaussian_filter(image, (0, blur_px, blur_px))
    image = image + rng.uniform(0.004, 0.015) * rng.standard_normal(image.shape)
    levels = (np.clip(image, 0.0, 1.0) * 255.0).round().astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))
