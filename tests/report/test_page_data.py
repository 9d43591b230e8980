"""What a page reads from the folders: learning curves and panels."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from ablate.report import PageData, read_page
from ablate.report.page import curves, pictures
from ablate.runs import Event
from report.panels import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    IMAGE,
    SIDE_PX,
    WHITE,
    leave_painted_panel,
)
from report.sweep_on_disk import SweepOnDisk


def leave_losses(table: SweepOnDisk, name: str, seed: int, losses: dict[int, float]) -> None:
    """Epochs with these losses, and an MIoU of a hundredth of the epoch."""
    lines = (
        Event(epoch=epoch, step=epoch, time=1.7e9, metrics={"val_loss": loss, "miou": epoch / 100})
        for epoch, loss in losses.items()
    )
    text = "".join(line.model_dump_json() + "\n" for line in lines)
    (table.folder(name, seed).path / "events.jsonl").write_text(text)


def page_of(table: SweepOnDisk) -> PageData:
    return read_page(table.report(), table.store)


def decoded(uri: str) -> Image.Image:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def colours(uri: str) -> dict[tuple[int, ...], int]:
    image = decoded(uri).convert("RGBA")
    return {colour: count for count, colour in image.getcolors(1 << 16) or ()}


# Learning curves --------------------------------------------------------------------------------


def test_a_curve_is_the_mean_and_the_range_over_the_seeds(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg",), (0, 1)
    for seed, losses in ((0, {1: 0.4, 2: 0.2}), (1, {1: 0.2})):
        table.begin("translandseg", seed)
        leave_losses(table, "translandseg", seed, losses)
    (curve,) = page_of(table).curves
    assert (curve.row, curve.n, curve.epochs) == ("translandseg", 2, (1, 2))
    assert curve.val_loss.mean == (pytest.approx(0.3), 0.2)
    assert (curve.val_loss.low, curve.val_loss.high) == ((0.2, 0.2), (0.4, 0.2))
    assert curve.miou.mean == (1.0, 2.0)


def test_events_that_are_not_numbers_are_named(table: SweepOnDisk) -> None:
    table.names = ("translandseg",)
    folder = table.begin("translandseg")
    leave_losses(table, "translandseg", 0, {1: 0.4})
    events = folder.path / "events.jsonl"
    line = events.read_text()
    # As a writer of another language puts it.
    events.write_text(line + line.replace("0.4", "1e999").replace('"epoch":1', '"epoch":2'))
    page = page_of(table)
    assert page.curves == ()
    assert "line 2 of " in page.curve_notes[0]


def test_events_that_cannot_be_read_are_named(table: SweepOnDisk) -> None:
    table.names = ("translandseg", "translandseg-1")
    for name in table.names:
        table.finish(name)
    (table.folder("translandseg").path / "events.jsonl").write_text("nonsense\n")
    page = page_of(table)
    assert [curve.row for curve in page.curves] == ["translandseg-1"]
    assert "TransLandSeg, seed 0: " in page.curve_notes[0]


def test_many_rows_seeds_and_epochs_are_bounded_and_said(
    table: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.names, table.seeds = ("translandseg", "translandseg-1", "translandseg-2"), (0, 1)
    for name in table.names:
        for seed in table.seeds:
            table.finish(name, seed, epochs=[0.5] * 21)
    for bound, value in (("ROWS", 2), ("REPEATS", 1), ("EPOCHS", 4)):
        monkeypatch.setattr(curves, bound, value)
    page = page_of(table)
    assert [(curve.row, curve.n) for curve in page.curves] == [
        ("translandseg", 1),
        ("translandseg-1", 1),
    ]
    assert page.curves[0].epochs == (6, 11, 16, 21)
    assert page.curve_notes == (
        "The curves of the first 2 of 3 trained rows are shown.",
        "Each row's curve is over its first 1 runs.",
        "4 of 21 epochs are shown, evenly spread.",
    )


# Panels -----------------------------------------------------------------------------------------


def test_a_panel_is_taken_apart(table: SweepOnDisk) -> None:
    table.names = ("translandseg", "translandseg-1")
    for name in table.names:
        table.finish(name)
        leave_painted_panel(table.folder(name).panels_path, "a.png")
    (picture,) = page_of(table).pictures
    square = 32 * 32
    rest = SIDE_PX**2 - square
    assert picture.name == "a"
    assert colours(picture.image) == {(*IMAGE, 255): SIDE_PX**2}
    assert colours(picture.ground_truth) == {(*WHITE, 255): square, (0, 0, 0, 255): rest}
    assert list(picture.predictions) == list(table.names)
    found = colours(picture.predictions["translandseg"])
    assert {colour[:3]: count for colour, count in found.items() if colour[3]} == {
        WHITE: square // 2,
        FALSE_NEGATIVE: square // 2,
        FALSE_POSITIVE: square // 4,
    }


def test_the_first_seed_with_panels_is_shown(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg",), (0, 1)
    for seed in table.seeds:
        table.finish("translandseg", seed)
    leave_painted_panel(table.folder("translandseg", 1).panels_path, "b.png")
    assert [picture.name for picture in page_of(table).pictures] == ["b"]


def test_a_large_panel_is_made_small(table: SweepOnDisk) -> None:
    table.names = ("translandseg",)
    table.finish("translandseg")
    panels = table.folder("translandseg").panels_path
    panels.mkdir()
    Image.new("RGB", (3 * 600, 600)).save(panels / "a.png")
    (picture,) = page_of(table).pictures
    assert decoded(picture.predictions["translandseg"]).size == (256, 256)


def test_what_is_not_a_panel_is_left_out(table: SweepOnDisk) -> None:
    table.names = ("translandseg",)
    table.finish("translandseg")
    panels = table.folder("translandseg").panels_path
    leave_painted_panel(panels, "z.png")
    (panels / "a.png").write_bytes(b"cut short")
    Image.new("RGB", (300, 200)).save(panels / "b.png")
    Image.new("1", (3 * 5000, 5000)).save(panels / "c.png")
    page = page_of(table)
    assert [picture.name for picture in page.pictures] == ["z"]
    assert "1 of 4 images with panels are on this page." in page.picture_notes


def test_images_rows_and_bytes_are_bounded_and_said(
    table: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.names = ("translandseg", "translandseg-1")
    for name in table.names:
        table.finish(name)
        for image in "abc":
            leave_painted_panel(table.folder(name).panels_path, f"{image}.png")
    monkeypatch.setattr(pictures, "IMAGES", 2)
    monkeypatch.setattr(pictures, "ROWS", 1)
    page = page_of(table)
    assert [list(picture.predictions) for picture in page.pictures] == [["translandseg"]] * 2
    assert page.picture_notes == (
        "Each row shows its first run that has panels.",
        "2 of 3 images with panels are on this page.",
        "The predictions of 1 of 2 rows are on this page.",
    )
    monkeypatch.setattr(pictures, "TOTAL_BYTES", len(page.pictures[0].model_dump_json()))
    assert len(page_of(table).pictures) == 1


def test_a_store_without_either_has_an_empty_page(table: SweepOnDisk, tmp_path: Path) -> None:
    assert page_of(table) == PageData()
