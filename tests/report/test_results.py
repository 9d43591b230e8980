"""The report reads what was run: the sweep's record and the folders, and no YAML of today."""

from pathlib import Path

import pytest

from ablate.report import build_report, tables_of
from ablate.runs import Store
from ablate.spec import ENGINE_VERSION, SamVariant
from report.sweep_on_disk import SweepOnDisk, row_of, variant_of


def altered(table: SweepOnDisk, name: str, width: int) -> SamVariant:
    """The variant as it is after its YAML was edited."""
    variant = table.variant(name)
    assert isinstance(variant, SamVariant)
    adapter = variant.adapter.model_copy(update={"width": width})
    return variant.model_copy(update={"adapter": adapter, "label": "Another"})


def test_a_row_that_was_edited_since_keeps_its_numbers_and_says_so(table: SweepOnDisk) -> None:
    table.finish("translandseg", miou=0.88)
    table.finish("translandseg-7", miou=0.70)
    table.today = {"translandseg": altered(table, "translandseg", 8)}
    rows = {row.name: row for row in table.report().rows}
    changed = rows["translandseg"]
    assert changed.is_changed
    assert (changed.label, changed.structure["width"]) == ("TransLandSeg", 2)
    assert changed.scores["miou"].mean == pytest.approx(88)
    assert not rows["translandseg-7"].is_changed


def test_another_label_is_not_another_variant(table: SweepOnDisk) -> None:
    renamed = table.variant("translandseg").model_copy(update={"label": "Ours"})
    table.today = {"translandseg": renamed}
    assert not row_of(table, "translandseg").is_changed


def test_a_row_never_mixes_what_was_run_before_and_after_an_edit(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg",), (0, 1)
    table.finish("translandseg", 0, miou=0.80)
    table.finish("translandseg", 1, miou=0.82)
    table.start()
    new = altered(table, "translandseg", 8)
    table.variants, table.today, table.seeds = {"translandseg": new}, {"translandseg": new}, (1,)
    table.finish("translandseg", 1, miou=0.60)
    row = row_of(table, "translandseg")
    assert not row.is_changed
    assert [(each.seed, each.value) for each in row.scores["miou"].per_repeat] == [
        (1, pytest.approx(60))
    ]
    states = {run.seed: run.state for run in row.repeats}
    assert states == {0: "changed since it was run", 1: "done"}


def test_an_edit_that_was_not_run_yet_hides_nothing(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg",), (0, 1)
    for seed in table.seeds:
        table.finish("translandseg", seed)
    table.today = {"translandseg": altered(table, "translandseg", 8)}
    row = row_of(table, "translandseg")
    assert row.is_changed
    assert [run.state for run in row.repeats] == ["done", "done"]


def test_rows_and_seeds_that_were_never_started_are_not_run(table: SweepOnDisk) -> None:
    table.names, table.seeds = ("translandseg-1", "translandseg"), (0, 1)
    table.finish("translandseg")
    runs = [table.run("translandseg", 0), table.run("translandseg", 1)]
    record = table.store.record_sweep(table.sweep, table.context, runs)
    today = {"translandseg-1": table.variant("translandseg-1")}
    for known, label in (({}, "translandseg-1"), (today, "TransLandSeg-1")):
        first, _ = build_report(record, table.store, parameters={}, today=known).rows
        assert (first.label, first.missing_reason) == (label, "not run")
        assert [(run.seed, run.key, run.state) for run in first.repeats] == [
            (0, None, "not run"),
            (1, None, "not run"),
        ]
    assert first.structure == table.variant("translandseg-1").columns()


def test_rows_that_are_declared_and_never_started_are_there_too(table: SweepOnDisk) -> None:
    table.names = ("translandseg",)
    table.today = {name: variant_of(name) for name in ("translandseg", "width=8")}
    assert [row.name for row in table.report().rows] == ["translandseg", "width=8"]


def test_the_report_needs_no_catalogue(
    table: SweepOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.finish("translandseg", miou=0.88)
    before = table.report()
    for folder, name in (("variants", "translandseg-1"), ("sweeps", "table4")):
        (tmp_path / "here" / folder).mkdir(parents=True)
        (tmp_path / "here" / folder / f"{name}.yaml").write_text("system: nothing\n")
    monkeypatch.chdir(tmp_path / "here")
    assert table.report() == before


# What cannot be read --------------------------------------------------------------------


def unreadable(table: SweepOnDisk, name: str) -> str:
    """Why the row has no number, while another row keeps its own."""
    table.finish("translandseg-7", miou=0.70)
    report = table.report()
    rows = {row.name: row for row in report.rows}
    assert rows["translandseg-7"].scores["miou"].mean == pytest.approx(70)
    assert rows[name].missing_reason == "unreadable"
    cause = str(rows[name].repeats[0].cause)
    assert "\n" not in cause
    note = f"Unreadable ({cause}): {rows[name].label}."
    assert note in tables_of(report)[0].notes
    return cause


def test_a_result_that_was_cut_short_is_one_line(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    path = table.folder("translandseg").path / "result.json"
    path.write_bytes(path.read_bytes()[:40])
    assert "result.json" in unreadable(table, "translandseg")


def test_a_failure_that_was_cut_short_is_one_line(table: SweepOnDisk) -> None:
    table.fail("translandseg")
    path = table.folder("translandseg").path / "failure.json"
    path.write_bytes(path.read_bytes()[:40])
    assert "failure.json" in unreadable(table, "translandseg")


def test_a_result_in_the_wrong_folder_is_one_line(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    right, wrong = table.folder("translandseg").path, table.begin("translandseg-1").path
    (wrong / "result.json").write_bytes((right / "result.json").read_bytes())
    assert f"is of run {right.name}" in unreadable(table, "translandseg-1")


def test_a_result_whose_spec_is_of_another_context_is_one_line(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    other = table.protocol.model_copy(update={"epochs": table.protocol.epochs + 1})
    spec = SweepOnDisk(table.root, other).begin("translandseg").path / "spec.json"
    (table.folder("translandseg").path / "spec.json").write_bytes(spec.read_bytes())
    assert "is of run" in unreadable(table, "translandseg")


def test_a_result_without_a_metric_is_one_line(table: SweepOnDisk) -> None:
    table.finish("translandseg")
    path = table.folder("translandseg").path / "result.json"
    path.write_text(path.read_text().replace('"positive_iou"', '"something_else"'))
    assert "lacks positive_iou" in unreadable(table, "translandseg")


# Other engines --------------------------------------------------------------------------


def test_a_store_of_an_older_engine_is_shown_as_what_it_is() -> None:
    store = Store(Path(__file__).parents[1] / "fixtures" / "store-engine-5")
    record = store.sweep_records("table4")[0]
    report = build_report(record, store, parameters={})
    assert report.provenance.context.engine == 5
    scores = {row.name: row.scores["miou"].n for row in report.rows}
    assert scores == {"translandseg": 2, "translandseg-7": 2}
    (note,) = report.provenance.notes
    assert note.startswith(f"Computed by engine 5; the present one is {ENGINE_VERSION}")
    assert any("; engine 5" in fact for fact in tables_of(report)[-1].notes)
