"""The figure of the expected best of k trials."""

import io
from pathlib import Path

import pytest
from PIL import Image

from ablate.errors import BadInput
from ablate.report import Report, write_best_of_k
from report.sweep_on_disk import SweepOnDisk
from report.tuning_on_disk import A, B, TuningOnDisk


@pytest.fixture
def tuning(table: SweepOnDisk) -> TuningOnDisk:
    table.names = (A, B)
    made = TuningOnDisk(table)
    made.add_trials(A, {1e-4: 0.6, 1e-3: 0.9, 1e-2: "diverged"})
    made.add_trials(B, {1e-4: 0.7, 1e-3: 0.8, 1e-2: 0.75})
    made.record()
    return made


def drawn(report: Report, path: Path) -> bytes:
    write_best_of_k(report, path)
    return path.read_bytes()


def test_a_png_shows_a_curve_for_each_row(tuning: TuningOnDisk, tmp_path: Path) -> None:
    content = drawn(tuning.sweep.report(), tmp_path / "deep" / "curves.png")
    colours = {
        colour
        for _, colour in Image.open(io.BytesIO(content)).convert("RGB").getcolors(1 << 20) or []
    }
    # Matplotlib's first two colours, one for each row; the third is not used.
    assert {(31, 119, 180), (255, 127, 14)} <= colours
    assert (44, 160, 44) not in colours


@pytest.mark.parametrize("suffix", [".png", ".svg", ".SVG"])
def test_equal_reports_give_equal_bytes(tuning: TuningOnDisk, tmp_path: Path, suffix: str) -> None:
    one, two = (
        drawn(tuning.sweep.report(), tmp_path / f"{name}{suffix}") for name in ("one", "two")
    )
    assert one == two
    assert b"date>" not in one
    tuning.add_trial(B, 5e-3, 0.95)
    tuning.record()
    assert drawn(tuning.sweep.report(), tmp_path / f"three{suffix}") != one


@pytest.mark.parametrize("label", ["$x^{", "_hidden", "滑坡"])
def test_labels_are_literal(tuning: TuningOnDisk, tmp_path: Path, label: str) -> None:
    report = tuning.sweep.report()
    assert report.tuning is not None
    rows = tuple(row.model_copy(update={"label": label}) for row in report.tuning.rows)
    changed = report.tuning.model_copy(update={"rows": rows})
    named = report.model_copy(update={"tuning": changed, "watermark": label})
    assert drawn(named, tmp_path / "named.png") != drawn(report, tmp_path / "plain.png")


def test_what_cannot_be_drawn_is_refused(
    table: SweepOnDisk, tuning: TuningOnDisk, tmp_path: Path
) -> None:
    path = tmp_path / "curves.png"
    with pytest.raises(BadInput, match="neither PNG nor SVG"):
        write_best_of_k(table.report(), tmp_path / "curves.pdf")
    tuning.trials.clear()
    tuning.add_trial(B, 2e-3, None)
    tuning.record()
    with pytest.raises(BadInput, match="no trial of this sweep has ended yet"):
        write_best_of_k(table.report(), path)
    for record in (table.root / "tunings").iterdir():
        record.unlink()
    with pytest.raises(BadInput, match="was never tuned"):
        write_best_of_k(table.report(), path)
    assert not path.exists()
