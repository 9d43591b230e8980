"""The printed figures: what they show, what they leave out and why, and their size."""

import io
import math

import matplotlib
import pytest
from PIL import Image

from ablate.report import FIGURES, Report
from ablate.report.effects import Effect, Effects, FactorRun
from ablate.report.figures import curves
from ablate.runs import Parameters
from report.drawn import figures_of, marks, texts
from report.panels import leave_painted_panel
from report.sweep_on_disk import SweepOnDisk
from report.tuning_on_disk import A, B, TuningOnDisk
from structures import structure

MM = 300 / 25.4


def size_mm(png: bytes) -> tuple[float, float]:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        return picture.width / MM, picture.height / MM


def parameters(trainable: int) -> Parameters:
    return Parameters(total=300_000_000, trainable=trainable, adapter=0, sites=0)


@pytest.fixture
def full(table: SweepOnDisk) -> SweepOnDisk:
    """Two seeds of three rows with panels and epochs; one row failed."""
    table.seeds, table.names = (0, 1), ("translandseg", "translandseg-1", "translandseg-2")
    for seed in table.seeds:
        for name, miou in (("translandseg", 0.88), ("translandseg-1", 0.84)):
            table.finish(name, seed, epochs=[miou - 0.1, miou + seed / 100], selected=2)
            leave_painted_panel(table.folder(name, seed).panels_path, "a.png")
    table.fail("translandseg-2", why="no memory")
    return table


def many(table: SweepOnDisk, count: int) -> SweepOnDisk:
    """As many rows as are asked for, which all differ."""
    table.names = ("translandseg", *(f"row-{number}" for number in range(count - 1)))
    table.published = None
    for number, name in enumerate(table.names):
        variant = structure(("m",), "outside", residual=True, width=number + 2)
        table.variants[name] = variant.model_copy(update={"label": name})
        ends = [0.5, 0.6 + number / 200]
        table.finish(name, epochs=ends, selected=2, parameters=parameters(4_000_000 + number))
    return table


# All figures --------------------------------------------------------------------------------


def test_every_figure_is_drawn_or_has_a_reason(full: SweepOnDisk) -> None:
    drawn = figures_of(full)
    assert sorted(drawn.files) == [
        "differences.png",
        "differences.svg",
        "learning-curves.png",
        "learning-curves.svg",
        "panels.png",
        "parameters.png",
        "parameters.svg",
    ]
    assert drawn.left_out == {
        "effects": "the sweep has no factors, or none of its runs has ended",
        "best-of-k": "the sweep was never tuned",
    }


def test_nothing_run_is_no_figure(table: SweepOnDisk) -> None:
    drawn = figures_of(table)
    assert drawn.files == {}
    assert set(drawn.left_out) == set(FIGURES)
    assert drawn.left_out["panels"] == "no run has a panel yet"
    table.baseline = None
    assert figures_of(table).left_out["differences"] == "the sweep has no baseline"


def test_all_figures_are_as_wide_as_columns_of_a_page(full: SweepOnDisk) -> None:
    for name, content in figures_of(full).files.items():
        if name.endswith(".png"):
            width, height = size_mm(content)
            assert any(abs(width - each) < 0.2 for each in (88, 90, 135, 180)), name
            assert height < 240


def test_every_figure_carries_the_watermark(full: SweepOnDisk) -> None:
    drawn, watermark = figures_of(full), full.report().watermark
    assert watermark is not None
    for name in drawn.files:
        if name.endswith(".svg"):
            assert watermark in " ".join(texts(drawn, name.removesuffix(".svg")))
    full.make_comparable()
    full.names = full.names[:2]
    for name in full.names:
        full.finish(name, epochs=[0.8, 0.88], selected=2)
    drawn = figures_of(full)
    assert "comparable" not in " ".join(texts(drawn, "differences") + texts(drawn, "parameters"))


def test_labels_are_literal(full: SweepOnDisk) -> None:
    labels = ("$x^{", "_hidden", "滑坡 --> & <b>")
    names = ("translandseg-1", "translandseg-2", "translandseg")
    for name, label in zip(names, labels, strict=True):
        variant = full.variant(name).model_copy(update={"label": label})
        full.variants[name] = variant
    drawn = figures_of(full)
    for name in ("differences", "learning-curves", "parameters"):
        assert labels[0] in texts(drawn, name)
    assert labels[1] in texts(drawn, "differences")


def test_a_long_label_is_cut(full: SweepOnDisk) -> None:
    full.variants["translandseg-1"] = full.variant("translandseg-1").model_copy(
        update={"label": "long " * 40}
    )
    drawn = figures_of(full)
    for name in ("differences", "parameters", "learning-curves"):
        (label,) = (each for each in texts(drawn, name) if each.startswith("long"))
        assert label.endswith("…")
        assert len(label) < 50
    assert size_mm(drawn.files["differences.png"])[0] == pytest.approx(180, abs=0.2)


def test_one_row_has_its_figures(table: SweepOnDisk) -> None:
    table.names = ("translandseg",)
    table.finish("translandseg", epochs=[0.8], selected=1)
    drawn = figures_of(table)
    assert drawn.left_out["differences"] == "no row has a repeat in common with the baseline yet"
    assert marks(drawn, "parameters", "reproduced") == [0]
    assert marks(drawn, "learning-curves", "curve") == [0]
    assert "reproduced" in texts(drawn, "parameters")


def test_forty_rows_have_theirs(table: SweepOnDisk) -> None:
    drawn = figures_of(many(table, 40))
    assert len(marks(drawn, "parameters", "reproduced")) == 40
    assert len(marks(drawn, "learning-curves", "curve")) == 40
    assert len(marks(drawn, "differences", "reproduced")) == 39
    # Points that lie on each other have numbers, and a key says whose they are.
    shown = texts(drawn, "parameters")
    assert {"1 translandseg", "40 row-38"} <= set(shown)
    assert {str(number) for number in range(1, 41)} <= set(shown)
    for name in ("parameters", "learning-curves", "differences"):
        assert size_mm(drawn.files[f"{name}.png"])[1] <= 240


def test_more_rows_than_a_page_holds_are_cut_and_said(table: SweepOnDisk) -> None:
    drawn = figures_of(many(table, 70), "parameters", "differences")
    assert "The first 48 of 69 rows." in texts(drawn, "differences")
    assert "and 14 more" in texts(drawn, "parameters")


def test_what_is_no_number_is_not_drawn(full: SweepOnDisk) -> None:
    report = full.report()
    row = report.rows[1]
    score = row.scores["miou"].model_copy(update={"mean": math.inf, "sd": math.nan})
    assert row.delta is not None
    delta = row.delta.model_copy(update={"mean": math.inf, "low": math.nan})
    broken = row.model_copy(update={"scores": row.scores | {"miou": score}, "delta": delta})
    report = report.model_copy(update={"rows": (report.rows[0], broken, report.rows[2])})
    drawn = figures_of(full, "parameters", "differences", report=report)
    assert marks(drawn, "parameters", "reproduced") == [0]
    assert "Not drawn, since MIoU is not a number: TransLandSeg-1." in texts(drawn, "parameters")
    assert "differences" in drawn.left_out


# Single figures -----------------------------------------------------------------------------


def test_parameters_show_rows_that_train_something(full: SweepOnDisk) -> None:
    drawn = figures_of(full, "parameters")
    assert marks(drawn, "parameters", "reproduced") == [0, 1]
    assert marks(drawn, "parameters", "spread") == [0, 1]
    assert {"TransLandSeg", "TransLandSeg-1"} <= set(texts(drawn, "parameters"))
    # Table III prints parameters of the paper's model, but nothing here is comparable with it.
    assert marks(drawn, "parameters", "published") == []
    note = "Published values are not drawn, since they are not comparable."
    assert note in texts(drawn, "parameters")


def test_parameters_show_published_values_where_comparable(table: SweepOnDisk) -> None:
    table.make_comparable()
    table.names = ("translandseg", "translandseg-1")
    for name in table.names:
        table.finish(name)
    drawn = figures_of(table, "parameters")
    assert marks(drawn, "parameters", "published") == [0]
    assert "published" in texts(drawn, "parameters")


def test_differences_show_intervals_and_why_there_is_none(full: SweepOnDisk) -> None:
    drawn = figures_of(full, "differences")
    assert marks(drawn, "differences", "reproduced") == [0]
    assert marks(drawn, "differences", "interval") == [0]
    assert marks(drawn, "differences", "published") == [0, 1]
    shown = texts(drawn, "differences")
    assert {"failed", "published (not comparable)", "reproduced, 95 % interval"} <= set(shown)
    assert any(each.startswith("−4.00 [−") for each in shown)


def test_one_seed_has_intervals_of_images_only(full: SweepOnDisk) -> None:
    full.seeds = (0,)
    drawn = figures_of(full, "differences", "parameters", "learning-curves")
    assert marks(drawn, "differences", "interval") == [0]
    shown = texts(drawn, "differences")
    assert "reproduced, 95 % interval (images only)" in shown
    assert "reproduced, 95 % interval" not in shown
    assert any(each.endswith("(images only)]") and each.startswith("−4.00") for each in shown)
    assert marks(drawn, "parameters", "spread") == []
    assert "one run" in texts(drawn, "learning-curves")


def test_curves_show_each_row_beside_the_baseline(full: SweepOnDisk) -> None:
    shown = texts(figures_of(full, "learning-curves"), "learning-curves")
    assert shown.count("TransLandSeg-1") == 1
    # Once as a row, once as what the others are set beside.
    assert shown.count("TransLandSeg") == 2
    assert {"mean over runs", "lowest to highest", "MIoU (%)", "epoch"} <= set(shown)


def test_more_curves_than_a_page_holds_are_cut_and_said(
    full: SweepOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "_MOST", 1)
    drawn = figures_of(full, "learning-curves")
    assert marks(drawn, "learning-curves", "curve") == [0]
    assert "1 of 2 rows with curves." in texts(drawn, "learning-curves")


def test_a_panel_has_a_tile_for_each_row(full: SweepOnDisk) -> None:
    with Image.open(io.BytesIO(figures_of(full, "panels").files["panels.png"])) as picture:
        counts = picture.convert("RGB").getcolors(1 << 24) or []
    colours = {colour for count, colour in counts if count > 500}
    # Found, false alarm and missed; the grey tile of the row that failed.
    assert {(255, 255, 255), (230, 159, 0), (0, 114, 178), (230, 230, 230)} <= colours


def test_many_rows_of_panels_go_to_several_sheets(table: SweepOnDisk) -> None:
    table.names, table.published = tuple(f"row-{number}" for number in range(12)), None
    table.baseline = "row-0"
    for name in table.names:
        table.finish(name)
        leave_painted_panel(table.folder(name).panels_path, "a.png")
    names = {name for name in figures_of(table, "panels").files if name.startswith("panels")}
    assert names == {"panels-1.png", "panels-2.png"}


def test_effects_show_every_level(full: SweepOnDisk) -> None:
    factors = {"width": ("8", "16", "32"), "skip": ("yes", "no")}
    levels = [(factor, level) for factor, those in factors.items() for level in those]
    main = [
        Effect(levels=dict([each]), runs=2, mean=0.5, low=-1.0, high=2.0, missing_reason=None)
        for each in levels[:-1]
    ]
    runs = tuple(
        FactorRun(name="a", split=0, seed=0, levels={"width": width, "skip": skip}, miou=80.0)
        for width in factors["width"]
        for skip in factors["skip"]
    )
    effects = Effects(
        factors=factors,
        runs=runs,
        repeats=1,
        main=tuple(main),
        interactions=(),
        residual_sd=1.0,
        residual_df=3,
        notes=(),
    )
    drawn = figures_of(
        full, "effects", report=full.report().model_copy(update={"effects": effects})
    )
    # A heading for each factor, then its levels; the last of them has no estimate.
    assert marks(drawn, "effects", "reproduced") == [1, 2, 3, 5]
    shown = texts(drawn, "effects")
    assert {"width", "8", "16", "32", "skip", "yes", "no", "not estimated"} <= set(shown)
    assert "+0.50 [−1.00 … +2.00]" in shown


@pytest.fixture
def tuning(table: SweepOnDisk) -> TuningOnDisk:
    table.names = (A, B)
    made = TuningOnDisk(table)
    made.add_trials(A, {1e-4: 0.6, 1e-3: 0.9, 1e-2: "diverged"})
    made.add_trials(B, {1e-4: 0.7, 1e-3: 0.8, 1e-2: 0.75})
    made.record()
    return made


def test_best_of_k_has_a_curve_for_each_row(tuning: TuningOnDisk) -> None:
    drawn = figures_of(tuning.sweep, "best-of-k")
    assert marks(drawn, "best-of-k", "curve") == [0, 1]
    shown = texts(drawn, "best-of-k")
    assert {"TransLandSeg-1", "TransLandSeg", "k trials"} <= set(shown)
    assert "expected best MIoU, inner split (%)" in shown


def test_without_a_trial_that_ended_there_is_no_best_of_k(tuning: TuningOnDisk) -> None:
    tuning.trials.clear()
    tuning.add_trial(B, 2e-3, None)
    tuning.record()
    assert figures_of(tuning.sweep, "best-of-k").left_out["best-of-k"] == "no trial has ended yet"


def test_a_users_matplotlibrc_changes_nothing(full: SweepOnDisk) -> None:
    before = figures_of(full).files
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "text.usetex": True}):
        assert figures_of(full).files == before


def test_the_report_is_left_as_it_is(report: Report, table: SweepOnDisk) -> None:
    before = report.model_dump_json()
    figures_of(table, report=report)
    assert report.model_dump_json() == before
