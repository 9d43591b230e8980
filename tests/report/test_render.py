import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.report import SUFFIXES, Format, Report, render, write
from ablate.report.markdown import table as pipe_table
from ablate.runs import Parameters
from ablate.spec import RESNETS, Comparison
from report.conftest import FIVE_AND_SAM, MACHINE, Table

FORMATS: tuple[Format, ...] = ("markdown", "csv", "json")


@pytest.fixture
def report(table: Table) -> Report:
    """A table with a result, a failure and rows that were never run."""
    table.comparisons = (Comparison(claim="…", better="translandseg", worse=("translandseg-1",)),)
    table.finish("translandseg", miou=0.8812)
    table.finish("translandseg-1", miou=0.8456)
    table.fail("translandseg-2", why="no memory")
    return table.report()


def tables_of(markdown: str) -> list[list[list[str]]]:
    """Every pipe table's rows of cells, the rule left out."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", markdown, flags=re.MULTILINE)
    return [
        [
            [cell.strip() for cell in line.strip("|").split(" | ")]
            for index, line in enumerate(block.splitlines())
            if index != 1
        ]
        for block in blocks
    ]


# Markdown -------------------------------------------------------------------------------


def test_table_4_has_the_papers_columns_in_the_papers_order(report: Report) -> None:
    header = tables_of(render(report, "markdown"))[0][0]
    assert header == [
        *["Model", "MidLay Modules", "residual connection", "outside block", "numbers"],
        *["P", "REC", "F1", "OA", "MIoU", "Landslide-IoU"],
    ]


def test_the_published_line_stands_under_the_reproduced_one(report: Report) -> None:
    lines = tables_of(render(report, "markdown"))[0][1:]
    assert len(lines) == 2 * len(report.rows)
    assert lines[0][:5] == ["TransLandSeg-1", "c×3", "✓", "✓", "reproduced"]
    assert lines[4][:4] == ["TransLandSeg-3", "c×2", "×", "✓"]
    assert (lines[0][9], lines[1][4], lines[1][9]) == ("84.56", "published", "85.01")
    assert lines[-1][5:] == ["93.14", "93.69", "93.41", "97.6", "88.1", "78.83"]


def test_holes_are_named_in_every_cell(report: Report) -> None:
    lines = tables_of(render(report, "markdown"))[0]
    failed = next(line for line in lines if line[0] == "TransLandSeg-2")
    tenth = next(index for index, line in enumerate(lines) if line[0] == "TransLandSeg-9")
    assert failed[5:] == ["failed"] * 6
    assert lines[tenth][5:] == ["not run"] * 6
    assert lines[tenth + 1][5:] == ["not reported"] * 6
    missing = "- failed (no memory): TransLandSeg-2\n- not run: TransLandSeg-3, TransLandSeg-5, "
    assert missing in render(report, "markdown")


def test_the_sections_stand_in_order(report: Report) -> None:
    markdown = render(report, "markdown")
    assert re.findall(r"^#+ (.*)$", markdown, flags=re.MULTILINE) == [
        "Table IV: ten structures",
        "Table IV, reproduced and published",
        "Difference to TransLandSeg",
        "Claims",
        "The landslide class alone",
        "Table III, counted",
        "Provenance",
    ]


def test_the_page_is_tidy(report: Report) -> None:
    markdown = render(report, "markdown")
    assert "\n\n\n" not in markdown
    assert markdown.endswith("*\n")
    assert not markdown.endswith("\n\n")
    assert not re.search(r"[ \t]$", markdown, flags=re.MULTILINE)
    assert "None" not in markdown
    for block in re.findall(r"(?:^\|.*\|\n)+", markdown, flags=re.MULTILINE):
        assert len({len(line) for line in block.splitlines()}) == 1
        # Without blank lines around it, a table is not a table on GitHub.
        assert f"\n\n{block}\n" in markdown


def test_the_watermark_stands_on_top_and_under_every_table(report: Report) -> None:
    markdown = render(report, "markdown")
    assert markdown.splitlines()[2] == f"> **{report.watermark}**"
    after = re.findall(r"^\|.*\|\n\n(.+)$", markdown, flags=re.MULTILINE)
    assert len(after) == len(tables_of(markdown)) == 7
    # No run has a part in Table III: its counts are compared with the printed ones.
    *of_runs, of_geometry, of_provenance = after
    assert all(line.endswith(f" {report.watermark}.*") for line in (*of_runs, of_provenance))
    assert "whatever was run" in of_geometry
    assert "not comparable" not in of_geometry


def test_comparable_runs_carry_no_watermark(table: Table) -> None:
    table.make_comparable()
    table.finish("translandseg")
    markdown = render(table.report(), "markdown")
    assert "not comparable" not in markdown
    assert "\n> " not in markdown


def test_several_seeds_show_deviation_n_and_interval(table: Table) -> None:
    table.seeds = (0, 1)
    for seed in table.seeds:
        table.finish("translandseg", seed, miou=0.80 + 0.02 * seed)
        table.finish("translandseg-1", seed, miou=0.70 + 0.021 * seed)
    table.finish("translandseg-7", 0)
    markdown = render(table.report(), "markdown")
    scores, differences = tables_of(markdown)[:2]
    by_model = {line[0]: line for line in scores}
    assert by_model["Model"][5] == "n"
    assert (by_model["TransLandSeg"][5], by_model["TransLandSeg"][10]) == ("2", "81.00 ± 1.41")
    assert by_model["TransLandSeg-7"][5] == "1 of 2"
    assert "- not run: TransLandSeg-2 seed 0, TransLandSeg-2 seed 1, " in markdown
    assert ", TransLandSeg-7 seed 1, " in markdown
    assert differences[1][:4] == ["TransLandSeg-1", "2", "-9.95", "-10.59 … -9.31"]


def test_a_sweep_of_its_own_has_no_published_columns(table: Table) -> None:
    table.published = None
    table.finish("translandseg")
    markdown = render(table.report(), "markdown")
    assert tables_of(markdown)[0][1][:5] == ["TransLandSeg-1", "c×3", "✓", "✓", "not run"]
    assert "published" not in markdown.replace("not comparable with the published values", "")
    assert "Table III" not in markdown


def test_a_model_without_an_atl_has_dashes_for_its_structure(table: Table) -> None:
    table.names = ["decoder-only", "translandseg"]
    assert tables_of(render(table.report(), "markdown"))[0][1][:4] == ["decoder-only", *"———"]


def test_table_3_says_whether_counts_round_to_the_printed_ones(table: Table) -> None:
    markdown = render(table.report(), "markdown")
    parameters = tables_of(markdown)[-2]
    assert parameters[0] == [
        *["Model", "reading", "total, printed (M)", "total, counted", "rounds to it"],
        *["trained, printed (M)", "trained, counted", "rounds to it", "note"],
    ]
    assert len(parameters) == 1 + 7
    assert parameters[1][:-1] == [
        *["CCNet", "CCNet", "71.27", "71,269,443", "yes", "71.27", "71,269,443", "yes"],
    ]
    assert parameters[5][:-1] == [
        *["TransLandSeg", "TransLandSeg", "312.45", "312,459,684", "no: 312.46"],
        *["4.18", "4,181,412", "yes"],
    ]
    assert parameters[3][-1].startswith("a reconstruction: the paper does not identify its UNet")
    assert "On SAM ViT-L: image encoder, mask decoder and adapters.*\n" in markdown


# Tables I and II ------------------------------------------------------------------------


@pytest.fixture
def five(table: Table) -> Report:
    """Table I: four rivals, the paper's model and SAM itself."""
    table.names, table.published = FIVE_AND_SAM, "table1"
    table.finish("pspnet", miou=0.80)
    table.finish("translandseg", miou=0.88)
    nothing_trained = Parameters(total=312_342_832, trainable=0, adapter=0, sites=0)
    table.finish("sam-points", miou=0.50, parameters=nothing_trained)
    return table.report()


def test_table_1_has_the_papers_columns_alone(five: Report) -> None:
    header, *lines = tables_of(render(five, "markdown"))[0]
    assert header == ["Model", "numbers", "P", "REC", "F1", "OA", "MIoU", "Landslide-IoU"]
    assert [line[0] for line in lines[::2]] == [row.label for row in five.rows]
    assert lines[6][:2] == ["pspnet", "reproduced"]
    assert (lines[6][6], lines[7][6]) == ("80.00", "80.52")
    assert lines[-1][1:] == ["published", *["not reported"] * 6]


def test_a_structure_that_all_adapters_share_has_no_columns(table: Table) -> None:
    table.names, table.published = ["translandseg"], None
    assert tables_of(render(table.report(), "markdown"))[0][0][:2] == ["Model", "P"]


def test_what_was_not_trained_says_so(five: Report) -> None:
    markdown = render(five, "markdown")
    lines = {line[0]: line for line in tables_of(markdown)[-1]}
    assert lines["Model"][3:5] == ["trained", "epoch"]
    assert lines["TransLandSeg"][3:5] == ["4,181,412", "7/20"]
    assert lines["SAM, one point"][3:5] == ["0", "not trained"]
    assert "s of computing" in markdown


def test_the_rivals_weights_are_listed(five: Report) -> None:
    markdown = render(five, "markdown")
    for name, resnet in five.provenance.context.resnets.items():
        assert name in RESNETS
        assert f"- Weights of the rivals: {resnet.label}, SHA-256 `{resnet.sha256}`\n" in markdown
    assert markdown.count("- Weights of the rivals: ") == 3


def test_every_format_takes_every_system(five: Report) -> None:
    assert Report.model_validate_json(render(five, "json")) == five
    systems = {line["variant"]: line["system"] for line in lines_of(five)}
    assert systems == {row.name: row.system for row in five.rows}
    assert all(value for line in lines_of(five) for value in line.values())
    assert "\n\n\n" not in render(five, "markdown")


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert pipe_table(["a|b"], [["c\nd"]], "<").splitlines() == [
        "| a\\|b |",
        "| ---- |",
        "| c d  |",
    ]


def test_a_table_of_holes_alone_renders(table: Table) -> None:
    for each in FORMATS:
        assert "not run" in render(table.report(), each)


# CSV ------------------------------------------------------------------------------------


def lines_of(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(report, "csv"))))


def test_csv_has_a_line_for_each_row_and_side_and_no_empty_cell(report: Report) -> None:
    lines = lines_of(report)
    assert [(line["variant"], line["numbers"]) for line in lines] == [
        (row.name, side) for row in report.rows for side in ("reproduced", "published")
    ]
    assert all(value for line in lines for value in line.values())
    assert {line["watermark"] for line in lines} == {report.watermark}


def test_csv_names_holes_and_keeps_numbers(report: Report) -> None:
    lines = {(line["variant"], line["numbers"]): line for line in lines_of(report)}
    ours, printed = lines["translandseg-1", "reproduced"], lines["translandseg-1", "published"]
    assert (ours["miou"], ours["miou_sd"], ours["n"]) == ("84.560000", "n/a", "1")
    assert (printed["miou"], printed["miou_sd"]) == ("85.01", "not reported")
    assert (ours["delta_miou"], printed["delta_miou"]) == ("-3.560000", "-3.090000")
    assert printed["positive_f1"] == "not reported"
    failed = lines["translandseg-2", "reproduced"]
    assert (failed["miou"], failed["n"], failed["delta_miou"]) == ("failed", "0", "failed")
    assert lines["translandseg-9", "reproduced"]["f1"] == "not run"
    assert lines["translandseg-9", "published"]["f1"] == "not reported"
    assert lines["translandseg", "reproduced"]["delta_miou"] == "baseline"


def test_csv_of_a_missing_baseline_names_it_in_every_delta(table: Table) -> None:
    table.finish("translandseg-1", miou=0.8)
    lines = lines_of(table.report())
    assert lines[0]["delta_miou"] == "TransLandSeg not run"
    assert lines[0]["miou"] == "80.000000"


def test_csv_columns_do_not_depend_on_what_is_there(table: Table, report: Report) -> None:
    table.published, table.baseline, table.seeds = None, None, (0, 1)
    assert lines_of(table.report())[0].keys() == lines_of(report)[0].keys()
    assert {line["numbers"] for line in lines_of(table.report())} == {"reproduced"}


# JSON, all formats ----------------------------------------------------------------------


def test_json_is_the_whole_report(report: Report) -> None:
    again = Report.model_validate_json(render(report, "json"))
    assert again == report
    for each in FORMATS:
        assert render(again, each) == render(report, each)


def test_equal_stores_give_equal_bytes_but_for_provenance(table: Table, tmp_path: Path) -> None:
    twin = Table(tmp_path / "twin", table.protocol)
    other = MACHINE.model_copy(update={"device_name": "Another"})
    for name in table.names:
        table.finish(name)
        twin.finish(name, commit="def5678", machine=other, finished=1.8e9)
    one, two = table.report(), twin.report()
    assert render(one, "csv") == render(two, "csv")
    assert one.model_dump(exclude={"provenance"}) == two.model_dump(exclude={"provenance"})
    tops = [render(each, "markdown").split("## Provenance")[0] for each in (one, two)]
    assert tops[0] == tops[1]
    assert render(one, "markdown") != render(two, "markdown")


@pytest.mark.parametrize("format", FORMATS)
def test_two_renders_are_byte_identical_and_written_whole(
    table: Table, report: Report, tmp_path: Path, format: Format
) -> None:
    out = tmp_path / "deep" / f"table4{SUFFIXES[format]}"
    write(report, format, out)
    write(table.report(), format, out)
    assert out.read_text(encoding="utf-8") == render(report, format)
    assert list(out.parent.iterdir()) == [out]


def test_the_room_loads_nothing_heavy() -> None:
    heavy = {"torch", "mlflow", "pandas", "scipy", "numpy", "jinja2"}
    code = f"import sys, ablate.report; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_model_that_predicts_no_landslide_is_named(table: Table) -> None:
    table.finish("translandseg")
    table.finish("translandseg-7", confusion=(0, 0, 9_000, 91_000))
    report = table.report()
    blank = {row.name: [seed.predicts_no_positives for seed in row.seeds] for row in report.rows}
    assert blank["translandseg"] == [False]
    assert blank["translandseg-7"] == [True]
    assert blank["translandseg-1"] == [None]
    text = render(report, "markdown")
    assert "Predicts no landslide at all, so that the precision of that class" in text
    assert "taken as 0: TransLandSeg-7.\n" in text
