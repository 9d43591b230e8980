import re

from ablate.report import Report, render
from ablate.spec import RESNETS
from report.sweep_on_disk import SweepOnDisk


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


def test_table_4_has_the_papers_columns_in_the_papers_order(report: Report) -> None:
    header = tables_of(render(report, "markdown"))[0][0]
    assert header == [
        *["Model", "MidLay Modules", "residual connection", "outside block", "values"],
        *["P", "REC", "F1", "OA", "MIoU", "Landslide-IoU"],
    ]


def test_the_published_line_stands_under_the_reproduced_one(report: Report) -> None:
    lines = tables_of(render(report, "markdown"))[0][1:]
    assert len(lines) == 2 * len(report.rows)
    assert lines[0][:5] == ["TransLandSeg-1", "c×3", "✓", "✓", "reproduced"]
    assert lines[4][:4] == ["TransLandSeg-3", "c×2", "×", "✓"]
    assert (lines[0][9], lines[1][4], lines[1][9]) == ("84.56", "published", "85.01")
    assert lines[-1][5:] == ["93.14", "93.69", "93.41", "97.6", "88.1", "78.83"]


def test_every_cell_without_a_number_has_its_reason(report: Report) -> None:
    lines = tables_of(render(report, "markdown"))[0]
    failed = next(line for line in lines if line[0] == "TransLandSeg-2")
    tenth = next(index for index, line in enumerate(lines) if line[0] == "TransLandSeg-9")
    assert failed[5:] == ["failed"] * 6
    assert lines[tenth][5:] == ["not run"] * 6
    assert lines[tenth + 1][5:] == ["not reported"] * 6
    missing = "- Failed (no memory): TransLandSeg-2.\n- Not run: TransLandSeg-3; TransLandSeg-5; "
    assert missing in render(report, "markdown")


def test_the_sections_stand_in_order(report: Report) -> None:
    markdown = render(report, "markdown")
    assert re.findall(r"^#+ (.*)$", markdown, flags=re.MULTILINE) == [
        "Table IV: ten structures",
        "Table IV, reproduced and published",
        "Difference to TransLandSeg",
        "Claims",
        "The smallest differences that these images can tell",
        "The price of selection",
        "The landslide class alone",
        "Table III, counted",
        "Cost",
        "Provenance",
    ]


def test_the_page_is_tidy(report: Report) -> None:
    markdown = render(report, "markdown")
    assert "\n\n\n" not in markdown
    assert markdown.endswith("s of computing\n")
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
    assert len(after) == len(tables_of(markdown)) == 10
    # No run has a part in Table III: its counts are compared with the printed ones.
    *of_runs, of_parameters, of_costs, of_provenance = after
    carrying = (*of_runs, of_costs, of_provenance)
    assert all(line.endswith(f" {report.watermark}.*") for line in carrying)
    assert "whatever was run" in of_parameters
    assert "not comparable" not in of_parameters


def test_comparable_runs_carry_no_watermark(table: SweepOnDisk) -> None:
    table.make_comparable()
    table.finish("translandseg")
    markdown = render(table.report(), "markdown")
    assert "not comparable" not in markdown
    assert "\n> " not in markdown


def test_several_seeds_show_deviation_n_and_interval(table: SweepOnDisk) -> None:
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
    assert "- Not run: TransLandSeg-2; TransLandSeg-3; TransLandSeg-5; " in markdown
    assert "; TransLandSeg-7 (seed 1); " in markdown
    assert differences[1][:4] == ["TransLandSeg-1", "2", "-9.95", "-10.59 … -9.31"]


def test_a_sweep_of_its_own_has_no_published_columns(table: SweepOnDisk) -> None:
    table.published = None
    table.finish("translandseg")
    markdown = render(table.report(), "markdown")
    header, first, *_ = tables_of(markdown)[0]
    assert header[:5] == ["Model", "midlays", "residual", "placement", "up init"]
    assert header[5:] == ["P", "REC", "F1", "OA", "MIoU", "IoU (landslide)"]
    assert first[:6] == ["TransLandSeg-1", "c×3", "✓", "outside", "zero", "not run"]
    assert "published" not in markdown.replace("not comparable with the published values", "")
    assert "Table III" not in markdown


def test_a_model_without_an_atl_has_dashes_for_its_structure(table: SweepOnDisk) -> None:
    table.names = ["decoder-only", "translandseg"]
    assert tables_of(render(table.report(), "markdown"))[0][1][:4] == ["decoder-only", *"———"]


def test_table_3_says_whether_counts_round_to_the_printed_ones(table: SweepOnDisk) -> None:
    markdown = render(table.report(), "markdown")
    parameters = tables_of(markdown)[-2]
    assert parameters[0] == [
        *["Model", "interpretation", "total, printed (M)", "total, counted", "rounds to it"],
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


def test_table_1_has_the_papers_columns_alone(five: Report) -> None:
    header, *lines = tables_of(render(five, "markdown"))[0]
    assert header == ["Model", "values", "P", "REC", "F1", "OA", "MIoU", "Landslide-IoU"]
    assert [line[0] for line in lines[::2]] == [row.label for row in five.rows]
    assert lines[6][:2] == ["pspnet", "reproduced"]
    assert (lines[6][6], lines[7][6]) == ("80.00", "80.52")
    assert lines[-1][1:] == ["published", *["not reported"] * 6]


def test_a_structure_that_all_adapters_share_has_no_columns(table: SweepOnDisk) -> None:
    table.names, table.published = ["translandseg"], None
    assert tables_of(render(table.report(), "markdown"))[0][0][:2] == ["Model", "P"]


def test_what_was_not_trained_says_so(five: Report) -> None:
    markdown = render(five, "markdown")
    lines = {line[0]: line for line in tables_of(markdown)[-1]}
    assert lines["Model"][3:5] == ["trained", "epoch"]
    assert lines["TransLandSeg"][3:5] == ["4,181,412", "7/20"]
    assert lines["SAM, one point"][1:5:2] == ["—", "0"]
    assert lines["SAM, one point"][4] == "not trained"
    assert "s of computing" in markdown


def test_the_weights_of_the_cnn_baselines_are_listed(five: Report) -> None:
    markdown = render(five, "markdown")
    for name, resnet in five.provenance.context.resnets.items():
        assert name in RESNETS
        assert (
            f"- Weights of the CNN baselines: {resnet.label}, SHA-256 {resnet.sha256}\n" in markdown
        )
    assert markdown.count("- Weights of the CNN baselines: ") == 3


def test_text_from_outside_is_printed_literally(table: SweepOnDisk) -> None:
    label = "a|b *c* _d_ [e](f) <g> `h` e_f\\ &amp;\n# x"
    table.names, table.title = ("translandseg",), "# *All* [of it]"
    table.variants = {
        "translandseg": table.variant("translandseg").model_copy(update={"label": label})
    }
    table.fail("translandseg", why="~~no~~ <memory>")
    markdown = render(table.report(), "markdown")
    assert markdown.startswith("# # \\*All\\* \\[of it\\]\n")
    literal = r"a\|b \*c\* \_d\_ \[e\](f) \<g> \`h\` e_f\\ \&amp; # x"
    assert f"\n| {literal} | m×1" in markdown
    assert rf"- Failed (\~\~no\~\~ \<memory>): {literal}." in markdown


def test_a_changed_row_refers_to_a_footnote(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    table.finish("translandseg-1")
    table.today = {"translandseg": table.variant("translandseg-7")}
    markdown = render(table.report(), "markdown")
    assert markdown.count("\n| TransLandSeg ¹ ") == 4
    assert markdown.count("\n¹ Changed since it was run: ") == 4
    assert "TransLandSeg-1 ¹" not in markdown
