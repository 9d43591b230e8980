"""Table III in the report: every reading of every printed row, counted."""

from pathlib import Path

import pytest

from ablate.errors import SpecError
from ablate.report.model import CountedParameters
from report.conftest import VIT_L, Table


def parameters_of(table: Table) -> CountedParameters:
    parameters = table.report().parameters
    assert parameters is not None
    return parameters


def test_table_3_counts_every_reading_of_every_printed_row(table: Table) -> None:
    counted = {
        (each.system, each.variant): (
            (each.total.counted, each.total.rounds),
            (each.trainable.counted, each.trainable.rounds),
        )
        for each in parameters_of(table).readings
    }
    assert counted == {
        ("ccnet", "ccnet"): ((71_269_443, True), (71_269_443, True)),
        ("deeplabv3plus", "deeplabv3plus"): ((40_347_041, True), (40_347_041, True)),
        ("unet", "unet"): ((75_361_281, True), (75_361_281, True)),
        ("pspnet", "pspnet"): ((46_582_337, True), (46_582_337, True)),
        ("translandseg", "translandseg"): ((312_459_684, False), (4_181_412, True)),
        ("translandseg", "translandseg-23-sites"): ((312_454_556, True), (4_176_284, True)),
        ("translandseg", "translandseg-released"): ((312_453_412, True), (4_175_140, True)),
    }


def test_table_3_says_what_each_reading_is(table: Table) -> None:
    readings = {each.variant: each for each in parameters_of(table).readings}
    assert {name: each.backbone for name, each in readings.items() if each.backbone} == {
        "translandseg": "vit_l",
        "translandseg-23-sites": "vit_l",
        "translandseg-released": "vit_l",
    }
    assert readings["translandseg-released"].reading == "TransLandSeg, as released"
    assert (readings["unet"].label, readings["unet"].reading) == ("UNet", "UNet (reconstruction)")
    assert "does not identify" in readings["unet"].note


@pytest.mark.parametrize("published", ["table1", "table2", "table4"])
def test_table_3_is_the_same_whatever_was_run(table: Table, published: str) -> None:
    before = parameters_of(table)
    table.published = published
    table.finish("translandseg", parameters=VIT_L.model_copy(update={"total": 7}))
    assert parameters_of(table) == before


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            "{label: B, total: '2.0', trainable: '1', readings: {translandsec: why}}",
            "row b: no variant is called 'translandsec'; did you mean 'translandseg",
        ),
        (
            "{label: B, total: '2.0', trainable: '1', readings: {translandseg: why}}",
            "row b: the reading translandseg is a SAM, but no backbone is printed; add it",
        ),
    ],
)
def test_a_reading_that_cannot_be_counted_is_refused(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, problem: str
) -> None:
    folder = tmp_path / "reports" / "published"
    folder.mkdir(parents=True)
    (folder / "table3.yaml").write_text(
        "kind: parameters\nsource: {paper: Mine, table: '1', caption: Sizes}\n"
        f"unit: million\nrounding: none\nrows: {{b: {row}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match="published table 'table3'") as caught:
        table.report()
    assert problem in str(caught.value)
