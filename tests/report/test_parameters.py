"""Table III in the report: every interpretation of every printed row, counted."""

from pathlib import Path

import pytest

from ablate.errors import SpecError
from ablate.registry import Catalogue
from ablate.report import build_report, parameters_key, required_parameters, tables_of
from ablate.report.model import CountedParameters
from report.sweep_on_disk import VIT_L, SweepOnDisk, counts


def parameters_of(table: SweepOnDisk) -> CountedParameters:
    parameters = table.report().parameters
    assert parameters is not None
    return parameters


def test_table_3_counts_every_interpretation_of_every_printed_row(table: SweepOnDisk) -> None:
    counted = {
        (each.system, each.variant): (
            (each.total.counted, each.total.rounded == each.total.printed),
            (each.trainable.counted, each.trainable.rounded == each.trainable.printed),
        )
        for each in parameters_of(table).interpretations
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


def test_table_3_says_what_each_interpretation_is(table: SweepOnDisk) -> None:
    interpretations = {each.variant: each for each in parameters_of(table).interpretations}
    assert {name: each.backbone for name, each in interpretations.items() if each.backbone} == {
        "translandseg": "vit_l",
        "translandseg-23-sites": "vit_l",
        "translandseg-released": "vit_l",
    }
    assert interpretations["translandseg-released"].variant_label == "TransLandSeg, as released"
    assert (interpretations["unet"].label, interpretations["unet"].variant_label) == (
        "UNet",
        "UNet (reconstruction)",
    )
    assert "does not identify" in interpretations["unet"].note


@pytest.mark.parametrize("published", ["table1", "table2", "table4"])
def test_table_3_is_the_same_whatever_was_run(table: SweepOnDisk, published: str) -> None:
    before = parameters_of(table)
    table.published = published
    table.finish("translandseg", parameters=VIT_L.model_copy(update={"total": 7}))
    assert parameters_of(table) == before


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            "{label: B, total: '2.0', trainable: '1', interpretations: {translandsec: why}}",
            "row b: no variant is called 'translandsec'; did you mean 'translandseg",
        ),
        (
            "{label: B, total: '2.0', trainable: '1', interpretations: {translandseg: why}}",
            "row b: the interpretation translandseg is a SAM, but no backbone is printed; add it",
        ),
    ],
)
def test_an_interpretation_that_cannot_be_counted_is_refused(
    table: SweepOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, problem: str
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


def test_what_must_be_counted_is_what_the_published_table_interprets(
    table: SweepOnDisk,
) -> None:
    required = required_parameters(table.start())
    assert required.keys() == counts().keys()
    assert {key: parameters_key(*each) for key, each in required.items()} == {
        key: key for key in required
    }
    systems = sorted(variant.system for variant, _ in required.values())
    assert systems == [*["cnn"] * 4, *["sam"] * 3]
    table.published = None
    assert required_parameters(table.start()) == {}


def test_what_was_not_counted_says_so(table: SweepOnDisk) -> None:
    report = build_report(table.start(), table.store, parameters={})
    assert report.parameters is not None
    assert {each.total.counted for each in report.parameters.interpretations} == {None}
    parameters = next(each for each in tables_of(report) if each.name == "parameters")
    first = dict(zip([c.key for c in parameters.columns], parameters.rows[0], strict=True))
    assert (first["total_counted"].kind, first["total_counted"].text) == ("missing", "not counted")
    assert first["total_printed"].text == "71.27"


def test_the_key_is_that_of_the_function_not_of_names() -> None:
    catalogue = Catalogue()
    variant, cnn = catalogue.variant("translandseg"), catalogue.variant("pspnet")
    renamed = variant.model_copy(update={"label": "Ours"})
    assert parameters_key(renamed, "vit_l") == parameters_key(variant, "vit_l")
    assert parameters_key(variant, "vit_b") != parameters_key(variant, "vit_l")
    assert parameters_key(cnn, "vit_b") == parameters_key(cnn, "vit_l")
