from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.errors import BadInput
from ablate.report import write_figure
from report.sweep_on_disk import SweepOnDisk

COLOURS = {"image": (10, 120, 30), "ground truth": (255, 255, 255), "prediction": (230, 75, 53)}


def leave_panel(folder: Path, name: str, prediction: tuple[int, int, int]) -> None:
    tiles = (COLOURS["image"], COLOURS["ground truth"], prediction)
    pixels = np.concatenate([np.full((256, 256, 3), tile, np.uint8) for tile in tiles], axis=1)
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


def drawn(table: SweepOnDisk, path: Path) -> Image.Image:
    write_figure(table.start(), table.store, path)
    return Image.open(path).convert("RGB")


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    return {colour for count, colour in picture.getcolors(1 << 16) if count > 100 * 100}


def test_each_row_of_the_table_has_its_column(table: SweepOnDisk, tmp_path: Path) -> None:
    table.names, table.seeds = ("translandseg", "translandseg-7", "translandseg-1"), (0, 1)
    for seed in table.seeds:
        for name, prediction in (("translandseg", (230, 75, 53)), ("translandseg-7", (1, 2, 3))):
            table.finish(name, seed)
            panels = table.folder(name, seed).panels_path
            # Another seed's would be another colour.
            leave_panel(panels, "a.png", tuple(value + seed for value in prediction))
    picture = drawn(table, tmp_path / "deep" / "figure.png")
    missing = (214, 214, 214)
    expected = {*COLOURS.values(), (1, 2, 3), missing}
    assert expected <= colours(picture)
    assert (2, 3, 4) not in colours(picture)
    assert picture.width > 5 * 112 > picture.width - 112


def test_each_image_has_its_row(table: SweepOnDisk, tmp_path: Path) -> None:
    table.names = ("translandseg",)
    table.finish("translandseg")
    panels = table.folder("translandseg").panels_path
    leave_panel(panels, "a.png", COLOURS["prediction"])
    low = drawn(table, tmp_path / "low.png")
    leave_panel(panels, "b.png", COLOURS["prediction"])
    high = drawn(table, tmp_path / "high.png")
    assert high.height - low.height == 112 + 4


def test_a_figure_of_nothing_is_refused(table: SweepOnDisk, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run of this table has a panel yet"):
        drawn(table, tmp_path / "figure.png")
    assert not (tmp_path / "figure.png").exists()


def test_what_is_not_a_panel_is_passed_over(table: SweepOnDisk, tmp_path: Path) -> None:
    table.names = ("translandseg", "translandseg-1")
    for name in table.names:
        table.finish(name)
        leave_panel(table.folder(name).panels_path, "a.png", COLOURS["prediction"])
    before = drawn(table, tmp_path / "before.png")
    panels = table.folder("translandseg-1").panels_path
    (panels / "._a.png").write_bytes(b"what a file system leaves")
    (panels / "b.png").write_bytes(b"cut short")
    Image.new("RGB", (300, 200)).save(panels / "c.png")
    assert drawn(table, tmp_path / "after.png").tobytes() == before.tobytes()


def test_a_row_that_was_never_started_has_its_column(table: SweepOnDisk, tmp_path: Path) -> None:
    table.names = ("translandseg", "translandseg-1")
    table.finish("translandseg")
    leave_panel(table.folder("translandseg").panels_path, "a.png", COLOURS["prediction"])
    record = table.store.record_sweep(table.sweep, table.context, [table.run("translandseg")])
    write_figure(record, table.store, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.width == 4 * (112 + 4) + 4
