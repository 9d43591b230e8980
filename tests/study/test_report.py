"""Which start of a sweep is reported."""

from pathlib import Path

import pytest

from ablate.errors import BadInput, StoreError
from ablate.registry import Catalogue
from ablate.report import WRITERS, build_report
from ablate.runs import Store
from ablate.spec import Context
from ablate.study.report import SweepReport, declared_rows, latest_start
from tiny_sweeps import start_table4


def test_a_protocol_finds_its_overridden_starts(tmp_path: Path, context: Context) -> None:
    start_table4(tmp_path, context)
    protocol = Catalogue().protocol("demo", ["epochs=3"])
    start_table4(tmp_path, context.model_copy(update={"protocol": protocol}))
    latest, earlier = latest_start(Store(tmp_path), "table4", "demo")
    assert latest.context.protocol.label == "demo with epochs=3"
    assert earlier.context.protocol.label == "demo"


def test_what_was_never_started_is_named(tmp_path: Path, context: Context) -> None:
    store = Store(start_table4(tmp_path, context))
    with pytest.raises(StoreError, match="sweep table1 was never started in"):
        latest_start(store, "table1")
    with pytest.raises(StoreError, match="with protocol paper; there are runs with demo"):
        latest_start(store, "table4", "paper")


def test_declared_rows_are_todays(tmp_path: Path, context: Context) -> None:
    (record,) = Store(start_table4(tmp_path, context)).sweep_records()
    rows = declared_rows(record)
    assert list(rows) == list(Catalogue().sweep("table4").variants)


def test_declared_rows_leave_out_what_is_gone(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report needs no catalogue: rows that were removed or broken since are only not compared."""
    (record,) = Store(start_table4(tmp_path / "store", context)).sweep_records()
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "translandseg-1.yaml").write_text("extends: missing\n")
    monkeypatch.chdir(tmp_path)
    rows = declared_rows(record)
    assert "translandseg-1" not in rows
    assert "translandseg-2" in rows


@pytest.fixture
def made(tmp_path: Path, context: Context) -> SweepReport:
    store = Store(start_table4(tmp_path / "store", context))
    (record,) = store.sweep_records()
    sweep = record.sweep.model_copy(update={"published": None})
    record = record.model_copy(update={"sweep": sweep})
    return SweepReport(build_report(record, store, parameters={}), record, store)


def test_every_format_is_written_as_it_is_rendered(made: SweepReport, tmp_path: Path) -> None:
    files = made.write_all(tmp_path / "deep" / "reports")
    assert [path.read_text(encoding="utf-8") for path in files] == [
        made.render(each) for each in WRITERS
    ]
    assert sorted(files) == sorted((tmp_path / "deep" / "reports").iterdir())


def test_where_one_file_cannot_be_written_none_is(made: SweepReport, tmp_path: Path) -> None:
    (tmp_path / "reports" / "table4.html").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"table4\.html is a folder"):
        made.write_all(tmp_path / "reports")
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["table4.html"]
