"""The mask's outlines as a GeoPackage, strip by strip, joined where strips meet."""

import math
import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ablate.errors import BadInput, StoreError
from ablate.predict.scene import METRES_PER_DEGREE, Scene
from ablate.predict.strips import LEVELS, Strip
from ablate.runs import atomic, shown

_BATCH = 2000


def check_packages() -> None:
    """Refuses to begin where the packages are missing.

    Raises:
        BadInput: If they are.
    """
    try:
        import pyogrio  # noqa: F401
        import shapely  # noqa: F401
    except ImportError as error:
        raise BadInput(
            f"polygons are written by {error.name}, which is not installed",
            "pip install 'ablate[geo]', or omit them with --no-polygons",
        ) from error


class _Piece:
    """A region of positive pixels, as far as the strips so far show it."""

    def __init__(self) -> None:
        self.shapes: list[Any] = []
        self.pixels = 0
        self.levels = 0

    def take(self, other: "_Piece") -> None:
        """Becomes one with another."""
        self.shapes += other.shapes
        self.pixels += other.pixels
        self.levels += other.levels


def write_polygons(
    scene: Scene,
    strips: Iterable[Strip],
    folder: Path,
    target: Path,
    layer: str,
    min_area: float,
    simplify_px: float,
) -> int:
    """Writes one polygon for each region of positive pixels that touch by a side.

    A region is written once no later strip touches it; only regions that are not closed yet are
    held in memory. The outline is exact before it is simplified, also where strips meet.

    Args:
        scene: The grid.
        strips: In order, from the first on.
        folder: Where to write what is not finished.
        target: The GeoPackage.
        layer: The name of its layer.
        min_area: Smaller regions are left out: in m², or in pixels where these have no size in
            metres.
        simplify_px: How far an outline may move, in pixels; 0: not at all.

    Returns:
        How many there are.

    Raises:
        StoreError: If they cannot be written.
    """
    part = folder / "polygons.gpkg"
    for name in (part.name, f"{part.name}-journal", f"{part.name}-wal"):
        (folder / name).unlink(missing_ok=True)
    writer = _Writer(scene, part, layer, min_area, simplify_px)
    row = 0
    # The regions that touch the last row, by its pixels; 0: none.
    border = np.zeros(scene.width, np.int64)
    open_pieces: dict[int, _Piece] = {}
    for strip in strips:
        border, open_pieces = _join(strip, row, border, open_pieces, writer)
        row += strip.shape[1]
    for piece in open_pieces.values():
        writer.add(piece)
    writer.close()
    atomic.sync_file(part)
    atomic.rename(part, target)
    return writer.count


def _join(
    strip: Strip,
    row: int,
    border: npt.NDArray[np.int64],
    before: dict[int, _Piece],
    writer: "_Writer",
) -> tuple[npt.NDArray[np.int64], dict[int, _Piece]]:
    """Adds a strip; what no longer touches the last row is written."""
    from affine import Affine
    from rasterio.features import shapes
    from scipy import ndimage
    from shapely.geometry import shape

    mask = strip[0] == 1
    labels, count = ndimage.label(mask)
    pixels = np.bincount(labels.ravel(), minlength=count + 1)
    levels = np.bincount(labels.ravel(), np.where(mask, strip[1], 0).ravel(), minlength=count + 1)
    pieces = {label: _Piece() for label in range(1, count + 1)}
    offset = Affine.translation(0, row)
    for outline, label in shapes(labels.astype(np.int32), mask=mask, transform=offset):
        pieces[int(label)].shapes.append(shape(outline))
    for label, piece in pieces.items():
        piece.pixels, piece.levels = int(pixels[label]), int(levels[label])
    # Regions of before and of now that touch are one: found by union-find over both.
    nodes: dict[tuple[str, int], tuple[str, int]] = {
        **{("old", key): ("old", key) for key in before},
        **{("new", key): ("new", key) for key in pieces},
    }

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while nodes[node] != node:
            nodes[node] = nodes[nodes[node]]
            node = nodes[node]
        return node

    touching = (border > 0) & (labels[0] > 0)
    pairs = np.unique(np.stack([border[touching], labels[0][touching]], axis=1), axis=0)
    for old, new in pairs.tolist():
        nodes[root(("old", old))] = root(("new", new))
    whole: dict[tuple[str, int], _Piece] = defaultdict(_Piece)
    for kind, own in (("old", before), ("new", pieces)):
        for key, piece in own.items():
            whole[root((kind, key))].take(piece)
    last = labels[-1]
    still_open = {root(("new", int(label))) for label in np.unique(last[last > 0])}
    names = {node: number for number, node in enumerate(sorted(still_open), 1)}
    for node, piece in whole.items():
        if node not in still_open:
            writer.add(piece)
    by_label = np.zeros(count + 1, np.int64)
    for label in np.unique(last[last > 0]):
        by_label[label] = names[root(("new", int(label)))]
    return by_label[last], {names[node]: whole[node] for node in still_open}


class _Writer:
    """Appends polygons to a GeoPackage, some thousand at a time."""

    def __init__(
        self, scene: Scene, path: Path, layer: str, min_area: float, simplify_px: float
    ) -> None:
        from affine import Affine

        self.count = 0
        self._scene, self._path, self._layer = scene, path, layer
        self._min_area, self._simplify_px = min_area, simplify_px
        self._affine = Affine(*scene.transform)
        self._is_geographic = _is_geographic(scene)
        self._rows: list[tuple[Any, int, float, float]] = []
        self._is_begun = False

    def add(self, piece: _Piece) -> None:
        """Takes a region that is whole."""
        import shapely

        outline = shapely.union_all(piece.shapes) if len(piece.shapes) > 1 else piece.shapes[0]
        area = self._area(piece.pixels, outline)
        if (piece.pixels if math.isnan(area) else area) < self._min_area:
            return
        # With 0, points in the middle of a straight line alone are left out.
        outline = shapely.simplify(outline, self._simplify_px, preserve_topology=True)
        self._rows.append((outline, piece.pixels, area, piece.levels / piece.pixels / LEVELS))
        self.count += 1
        if len(self._rows) >= _BATCH:
            self._flush()

    def close(self) -> None:
        """Writes the rest; without any polygon, an empty layer."""
        if self._rows or not self._is_begun:
            self._flush()

    def _area(self, pixels: int, outline: Any) -> float:
        """In m²; NaN where a pixel has no size in metres."""
        if self._scene.ground_m is None:
            return math.nan
        wide, high = self._scene.ground_m
        if self._is_geographic:
            # The width of a degree changes with the latitude.
            middle = outline.centroid
            a = self._affine
            latitude = a.d * middle.x + a.e * middle.y + a.f
            wide = (
                math.hypot(a.a, a.d) * METRES_PER_DEGREE * max(math.cos(math.radians(latitude)), 0)
            )
        return pixels * wide * high

    def _flush(self) -> None:
        import pyogrio.raw
        import shapely
        from pyogrio.errors import DataLayerError, DataSourceError

        outlines = np.array([row[0] for row in self._rows], dtype=object)
        a = self._affine
        moved = shapely.transform(
            outlines,
            lambda points: np.stack(
                [
                    a.a * points[:, 0] + a.b * points[:, 1] + a.c,
                    a.d * points[:, 0] + a.e * points[:, 1] + a.f,
                ],
                axis=1,
            ),
        )
        # A raster of negative rows turns the outlines round.
        moved = shapely.orient_polygons(moved)
        fields = {
            "area_px": np.array([row[1] for row in self._rows], dtype=np.int64),
            "area_m2": np.array([row[2] for row in self._rows], dtype=np.float64),
            "mean_probability": np.array([row[3] for row in self._rows], dtype=np.float64),
        }
        with warnings.catch_warnings():
            # That a raster has no coordinates is said elsewhere.
            warnings.simplefilter("ignore")
            try:
                pyogrio.raw.write(
                    self._path,
                    np.array(shapely.to_wkb(moved), dtype=object),
                    list(fields.values()),
                    list(fields),
                    layer=self._layer,
                    driver="GPKG",
                    crs=self._scene.crs,
                    geometry_type="Polygon",
                    append=self._is_begun,
                )
            except (DataSourceError, DataLayerError) as error:
                raise StoreError(
                    f"the polygons of {shown(self._scene.path)} cannot be written ({error})",
                    "check space and permissions; the same command continues",
                ) from error
        self._is_begun = True
        self._rows = []


def _is_geographic(scene: Scene) -> bool:
    from rasterio.crs import CRS

    return scene.crs is not None and bool(CRS.from_wkt(scene.crs).is_geographic)
