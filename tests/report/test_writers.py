import subprocess
import sys
from pathlib import Path

import pytest

from ablate.errors import BadInput
from ablate.report import WRITERS, Report, render, suffix_of, write_report
from report.sweep_on_disk import MACHINE, SweepOnDisk

FORMATS = tuple(WRITERS)


def test_json_is_the_whole_report(report: Report) -> None:
    again = Report.model_validate_json(render(report, "json"))
    assert again == report
    for each in FORMATS:
        assert render(again, each) == render(report, each)


def test_equal_stores_give_equal_bytes_but_for_provenance(
    table: SweepOnDisk, tmp_path: Path
) -> None:
    twin = SweepOnDisk(tmp_path / "twin", table.protocol)
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
    table: SweepOnDisk, report: Report, tmp_path: Path, format: str
) -> None:
    out = tmp_path / "deep" / f"table4{suffix_of(format)}"
    write_report(report, format, out)
    write_report(table.report(), format, out)
    assert out.read_text(encoding="utf-8") == render(report, format)
    assert list(out.parent.iterdir()) == [out]


def test_the_room_loads_nothing_heavy() -> None:
    heavy = {"torch", "mlflow", "pandas", "scipy", "numpy", "jinja2", "PIL", "matplotlib"}
    code = f"import sys, ablate.report; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_format_takes_every_system(five: Report) -> None:
    assert Report.model_validate_json(render(five, "json")) == five
    for each in FORMATS:
        assert "not run" in render(five, each)


def test_an_unknown_format_names_the_nearest(report: Report, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did you mean 'markdown'"):
        render(report, "markdwon")
    with pytest.raises(BadInput):
        write_report(report, "markdwon", tmp_path / "report")
    assert list(tmp_path.glob("report*")) == []


def test_files_are_called_after_their_format() -> None:
    assert [suffix_of(each) for each in FORMATS] == [".md", ".csv", ".json", ".tex", ".html"]
