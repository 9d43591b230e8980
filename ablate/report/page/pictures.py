"""The panels of the runs, taken apart: an image once, and every row's prediction on it."""

import base64
import io
import struct

from PIL import Image

from ablate.errors import StoreError
from ablate.report.model import Report, Row
from ablate.report.page.model import Picture
from ablate.report.results import cause_of
from ablate.runs import Store
from ablate.runs.checked_files import panels as panels_of
from ablate.spec import repeats_text

# By the name of the file.
_Panels = dict[str, bytes]

ROWS = 30
IMAGES = 12
TOTAL_BYTES = 6_000_000
_SIDE_PX = 256
# No panel of ours is nearly as large; Pillow would decode any other for as long as it takes.
_LARGEST_SIDE_PX = 4096
_BACKGROUND = (0, 0, 0)
# False alarms and misses as older versions painted them: nearly the same grey.
_NEWER_COLOURS: dict[tuple[int, ...], tuple[int, ...]] = {
    (230, 75, 53): (230, 159, 0),
    (60, 130, 230): (0, 114, 178),
}
# A prediction has four colours; an image that another program has drawn may have a few more.
_COLOURS = 16


def read_pictures(report: Report, store: Store) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """The first images that have panels, each with the predictions of the first rows.

    A row shows its first run that has panels.

    Returns:
        The pictures, and what there is to say of them.
    """
    problems: list[str] = []
    panels = {row.name: found for row in report.rows if (found := _panels_of(row, store, problems))}
    names = sorted({name for found in panels.values() for name in found})
    pictures: list[Picture] = []
    left_bytes = TOTAL_BYTES
    for name in names[:IMAGES]:
        files = {row: found[name] for row, found in panels.items() if name in found}
        picture = _picture(name.removesuffix(".png"), dict(list(files.items())[:ROWS]))
        if picture is None:
            continue
        left_bytes -= len(picture.model_dump_json())
        if left_bytes < 0:
            break
        pictures.append(picture)
    notes = ["Each row shows its first run that has panels."] if pictures else []
    if len(pictures) < len(names):
        notes.append(f"{len(pictures)} of {len(names)} images with panels are on this page.")
    if len(panels) > ROWS:
        notes.append(f"The predictions of {ROWS} of {len(panels)} rows are on this page.")
    return tuple(pictures), (*notes, *problems)


def _panels_of(row: Row, store: Store, problems: list[str]) -> _Panels:
    """The panels of the row's first run that has any."""
    for repeat in row.repeats:
        if repeat.key is None or repeat.state == "changed since it was run":
            continue
        unusable: list[StoreError] = []
        found = {path.name: content for path, content in panels_of(store.run(repeat.key), unusable)}
        where = f"{row.label}, {repeats_text([repeat.repeat])}"
        problems += [f"{where}: {cause_of(each, store)}" for each in unusable]
        if found:
            return found
    return {}


def _picture(name: str, files: _Panels) -> Picture | None:
    """The picture; None where no file is a panel."""
    tiles = {row: found for row, file in files.items() if (found := _tiles(file))}
    if not tiles:
        return None
    image, ground_truth, _ = next(iter(tiles.values()))
    return Picture(
        name=name,
        image=_data_uri(image),
        ground_truth=_data_uri(ground_truth.convert("1", dither=Image.Dither.NONE)),
        predictions={row: _overlay(prediction) for row, (*_, prediction) in tiles.items()},
    )


def _tiles(content: bytes) -> tuple[Image.Image, Image.Image, Image.Image] | None:
    """Image, ground truth and prediction; None if the file is not such a panel."""
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
            side = opened.height
            if opened.width != 3 * side or side > _LARGEST_SIDE_PX:
                return None
            panel = opened.convert("RGB")
    # SyntaxError: what Pillow says of a broken chunk.
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError):
        return None
    image, ground_truth, prediction = (
        panel.crop((left, 0, left + side, side)) for left in range(0, 3 * side, side)
    )
    if side > _SIDE_PX:
        size = (_SIDE_PX, _SIDE_PX)
        image = image.resize(size)
        ground_truth = ground_truth.resize(size, Image.Resampling.NEAREST)
        prediction = prediction.resize(size, Image.Resampling.NEAREST)
    return image, ground_truth, prediction


def _overlay(prediction: Image.Image) -> str:
    """The painted pixels; the background is transparent."""
    painted = prediction.quantize(_COLOURS, dither=Image.Dither.NONE)
    palette = painted.getpalette() or []
    colours: list[tuple[int, ...]] = list(zip(*[iter(palette)] * 3, strict=False))
    newer = [_NEWER_COLOURS.get(colour, colour) for colour in colours]
    painted.putpalette([part for colour in newer for part in colour])
    background = next(
        (index for index, colour in enumerate(colours) if colour == _BACKGROUND), None
    )
    return _data_uri(painted, background)


def _data_uri(image: Image.Image, transparent: int | None = None) -> str:
    content = io.BytesIO()
    if transparent is None:
        image.save(content, format="PNG", optimize=True)
    else:
        image.save(content, format="PNG", optimize=True, transparency=transparent)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
